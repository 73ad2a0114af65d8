"""The output of the demo: a live panel on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.syntax import Syntax
from rich.text import Text

from txtrack_devnode.demo.snapshot import Snapshot


class Screen:
    """Writes to one console.

    Without a terminal, it writes a line per block instead of a panel, and no control codes.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_terminal = console.is_terminal and not console.is_dumb_terminal
        self._live: Live | None = None

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show the live panel while the block runs."""
        if not self._is_terminal:
            yield
            return
        # Refreshed only by show(): a refresh thread of rich would read while the event loop writes.
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    @property
    def live(self) -> bool:
        """Whether the live panel is shown."""
        return self._live is not None

    def show(self, snapshot: Snapshot) -> None:
        """Update the panel, or write a line."""
        if self._live is not None:
            self._live.update(snapshot.panel(), refresh=True)
        else:
            self.write(snapshot.line())

    def heading(self, text: str) -> None:
        """Write the heading of a section."""
        self._console.print(Text(f"\n{text}", "bold"))

    def write(self, text: str, style: str = "") -> None:
        """Write a line of text."""
        self._console.print(Text(text, style), soft_wrap=not self._is_terminal)

    def code(self, expression: str, result: object = None) -> None:
        """Write a Python expression and its result."""
        self.script(f">>> {expression}", "pycon")
        if result is not None:
            self.write(str(result), "bright_black")

    def script(self, text: str, language: str = "python") -> None:
        """Write source code."""
        if self._is_terminal:
            self._console.print(_highlighted(text, language))
        else:
            self._console.print(Text(text), soft_wrap=True)

    def draw(self, renderable: RenderableType) -> None:
        """Write a table."""
        self._console.print(renderable)


def _highlighted(text: str, language: str) -> Syntax:
    return Syntax(text, language, theme="ansi_dark", background_color="default", word_wrap=True)
