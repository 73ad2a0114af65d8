"""Telling the story: on a terminal with a live board below it, elsewhere in plain lines."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.live import Live
from rich.syntax import Syntax
from rich.text import Text

from txtrack_devnode.demo.board import Board


class View:
    """Writes to one console.

    Without a terminal there is no board and no control code: a line for each block instead.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._moves = console.is_terminal and not console.is_dumb_terminal
        self._live: Live | None = None

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Keep the board on the terminal meanwhile."""
        if not self._moves:
            yield
            return
        # Refreshed by show() alone: no thread of rich's draws while the event loop changes things.
        with Live(console=self._console, auto_refresh=False, transient=True) as self._live:
            yield
        self._live = None

    @property
    def live(self) -> bool:
        """Whether there is a board."""
        return self._live is not None

    def show(self, board: Board) -> None:
        """Draw the board anew, or write its line."""
        if self._live is not None:
            self._live.update(board.panel(), refresh=True)
        else:
            self.say(board.line())

    def act(self, text: str) -> None:
        """Begin a part of the story."""
        self._console.print(Text(f"\n{text}", "bold"))

    def say(self, text: str, style: str = "") -> None:
        """Tell something."""
        self._console.print(Text(text, style), soft_wrap=not self._moves)

    def code(self, expression: str, result: object = None) -> None:
        """Show the Python that does what happens now, and what it gives."""
        self.script(f">>> {expression}", "pycon")
        if result is not None:
            self.say(str(result), "bright_black")

    def script(self, text: str, language: str = "python") -> None:
        """Show some Python."""
        if self._moves:
            self._console.print(_highlighted(text, language))
        else:
            self._console.print(Text(text), soft_wrap=True)

    def draw(self, renderable: RenderableType) -> None:
        """Show a table."""
        self._console.print(renderable)


def _highlighted(text: str, language: str) -> Syntax:
    return Syntax(text, language, theme="ansi_dark", background_color="default", word_wrap=True)
