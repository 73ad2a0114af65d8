"""``python -m beamish top``: a live table of the busiest processes.

When not to use it: in a script that reads values; the observer's API returns JSON.

Source:
    ``observer_cli`` of Erlang, and ``top``.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from shutil import get_terminal_size
from typing import Any, cast

from beamish._snapshots.query import SORTS
from beamish.shell.facts import pid_text, safe, size
from beamish.shell.source import ERRORS, Source

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = tty = cast("Any", None)

# The first six fit into 80 characters; a narrow terminal cuts the others.
_HEADER = ("pid", "name", "recent", "busy", "handled", "queue", "status", "class", "callback")
_WIDTHS = (16, 20, 9, 5, 11, 8, 10, 24, 24)
_NUMBERS = ("recent", "busy", "handled", "queue")
_RETRY_SECONDS = 2.0
_MAX_ROWS = 200
_HELP = "q quit   < > sort by another column   r reverse   space pause"


@dataclass(slots=True)
class Choice:
    """What the table shows, which keys change."""

    sort: str = "recent"
    descending: bool = True
    search: str = ""
    every: int = 2
    paused: bool = False

    def press(self, key: str) -> bool:
        """Apply a key; return whether the order has changed."""
        if key in ("<", ">"):
            step = 1 if key == ">" else -1
            self.sort = SORTS[(SORTS.index(self.sort) + step) % len(SORTS)]
        elif key == "r":
            self.descending = not self.descending
        elif key == " ":
            self.paused = not self.paused
            return False
        else:
            return False
        return True

    def parameters(self, rows: int) -> dict[str, str]:
        """Return the parameters of the view."""
        direction = "desc" if self.descending else "asc"
        limit = str(max(1, min(rows, _MAX_ROWS)))
        found = {"sort": self.sort, "dir": direction, "limit": limit}
        return {**found, "search": self.search} if self.search else found


def lines(
    name: str, overview: dict[str, Any], page: dict[str, Any], choice: Choice, width: int
) -> list[str]:
    """Return the lines of the table, without colours, each at most ``width`` characters long."""
    rows = [_row(row) for row in page["rows"]]
    header = _columns([_marked(title, choice) for title in _HEADER])
    state = "paused" if choice.paused else f"every {choice.every} s"
    found = [f"{safe(name)}, {state}", *_figures(overview, page), "", header]
    return [line[:width].rstrip() for line in (*found, *map(_columns, rows))]


def _figures(overview: dict[str, Any], page: dict[str, Any]) -> list[str]:
    sample = overview["sample"]
    delay = "-" if sample is None else f"{1_000 * sample['lag_seconds']:.1f} ms"
    busy = "-" if sample is None else f"{sample['busy']:.0%}"
    matching = "" if page["matching"] == page["total"] else f"{page['matching']:,} of "
    return [
        f"processes {matching}{page['total']:,}   supervisors {overview['supervisors']:,}   "
        f"queued {page['queued']:,}   crashes {overview['crashes']:,}   "
        f"restarts {overview['restarts']:,}",
        f"loop busy {busy}   loop delay {delay}   memory {size(overview['rss_bytes'])}",
    ]


def _marked(title: str, choice: Choice) -> str:
    if title != choice.sort:
        return title
    return f"{title}{'↓' if choice.descending else '↑'}"


def _row(row: dict[str, Any]) -> list[str]:
    recent = "-" if row["recent"] is None else f"{row['recent']:,}"
    busy = "-" if row["busy"] is None else f"{row['busy']:.0%}"
    counts = recent, busy, f"{row['handled']:,}", f"{row['queue']:,}"
    rest = row["status"], row["class_name"], row["callback"] or ""
    return [safe(cell) for cell in (pid_text(row["pid"]), row["name"], *counts, *rest)]


def _columns(cells: list[str]) -> str:
    parts = []
    for title, cell, width in zip(_HEADER, cells, _WIDTHS, strict=True):
        cut = cell if len(cell) <= width else f"{cell[: width - 1]}…"
        parts.append(cut.rjust(width) if title in _NUMBERS else cut.ljust(width))
    return "  ".join(parts)


async def top(source: Source, choice: Choice) -> None:
    """Show the table until ``q``; without a terminal, print it once.

    Args:
        source: The program.
        choice: What to show first.
    """
    if termios is None or not (sys.stdin.isatty() and sys.stdout.isatty()):
        page = await source.read("processes", **choice.parameters(_MAX_ROWS))
        overview = await source.read("overview")
        print("\n".join(lines(source.name, overview, page, choice, 1_000)))
        return
    await source.read("overview")  # an error now is the command's, not one line of the screen
    with _full_screen(), _keys() as keys:
        await _Top(source, choice, keys).run()


class _Top:
    """The loop of the full-screen table.

    Args:
        source: The program.
        choice: What to show.
        keys: The pressed keys.
    """

    def __init__(self, source: Source, choice: Choice, keys: "asyncio.Queue[str]") -> None:
        self._source = source
        self._choice = choice
        self._keys = keys
        self._pages: AsyncIterator[Any] | None = None
        self._shown: list[str] = []

    async def run(self) -> None:
        """Show the table until ``q``."""
        while True:
            try:
                if await self._follow():
                    return
            except ERRORS as error:
                self._draw(
                    [f"{safe(self._source.name)}: {safe(error)}; retrying", *self._shown[1:]]
                )
                if await self._quit_within(_RETRY_SECONDS):
                    return

    async def _follow(self) -> bool:
        """Follow one order; return whether to quit."""
        choice, rows = self._choice, get_terminal_size().lines - 6
        pages = self._source.stream("processes", choice.every, **choice.parameters(rows))
        async with aclosing(pages):  # type: ignore[type-var] # both sources are generators
            page = asyncio.ensure_future(anext(pages))
            try:
                while True:
                    key = asyncio.ensure_future(self._keys.get())
                    await asyncio.wait({page, key}, return_when=asyncio.FIRST_COMPLETED)
                    if page.done():
                        key.cancel()
                        await self._show(page.result())
                        page = asyncio.ensure_future(anext(pages))
                    elif key.result() == "q":
                        return True
                    elif choice.press(key.result()):
                        return False
            finally:
                page.cancel()
                with suppress(asyncio.CancelledError, *ERRORS):
                    await page

    async def _show(self, page: Any) -> None:
        if self._choice.paused:
            return
        overview = await self._source.read("overview")
        width = get_terminal_size().columns
        self._shown = lines(self._source.name, overview, page, self._choice, width)
        self._draw(self._shown)

    def _draw(self, shown: list[str]) -> None:
        width, height = get_terminal_size()
        body = [line[:width] for line in shown[: height - 1]]
        if len(body) > 4:
            body[4] = f"\x1b[7m{body[4].ljust(width)}\x1b[0m"
        body += [""] * (height - 1 - len(body))
        sys.stdout.write("\x1b[H" + "".join(f"{line}\x1b[K\r\n" for line in body))
        sys.stdout.write(f"{_HELP[:width]}\x1b[K")
        sys.stdout.flush()

    async def _quit_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self._keys.get() != "q":
                    pass
                return True
        return False


@contextmanager
def _full_screen() -> Iterator[None]:
    sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[2J")
    sys.stdout.flush()
    try:
        yield
    finally:
        sys.stdout.write("\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()


@contextmanager
def _keys() -> Iterator["asyncio.Queue[str]"]:
    """Put each pressed key into a queue; Ctrl-C stays a signal."""
    keys: asyncio.Queue[str] = asyncio.Queue()
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def read() -> None:
        for char in os.read(descriptor, 64).decode(errors="replace"):
            keys.put_nowait(char)

    tty.setcbreak(descriptor)
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, read)
    try:
        yield keys
    finally:
        loop.remove_reader(descriptor)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
