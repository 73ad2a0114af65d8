"""Pages that an application adds to the observer: figures and tables of its own."""

import inspect
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from beamish._snapshots.encode import cut, short
from beamish._snapshots.query import Query, UnknownError
from beamish.pid import Pid

MAX_PAGES = 20
"""Pages that an application can add."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_MAX_TITLE_CHARACTERS = 60
_MAX_CELL_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a page.

    Args:
        title: Its heading.
        columns: Titles of the columns.
        rows: One value for each column. A pid becomes a link to the process, ``None`` a dash, and
            anything but text and numbers its ``repr``. The search and the number of rows that the
            user chooses apply to them.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True, slots=True)
class PageContent:
    """What a page shows at one time.

    Args:
        figures: Values by name, shown at the top of the page.
        tables: The tables below.
    """

    figures: Mapping[str, Any] = field(default_factory=dict)
    tables: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page that an application adds to the observer.

    Args:
        name: What the address of the page has, such as ``"orders"``.
        title: What the navigation shows.
        read: Function that returns the content; can be ``async``. It is called at each refresh
            while the page is open, in the event loop: it must not block.

    Raises:
        ValueError: The name or the title is not valid.
    """

    name: str
    title: str
    read: Callable[[], PageContent | Awaitable[PageContent]]

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                "the name of a page must be up to 40 lower-case letters, digits and hyphens, "
                f"starting with a letter; got {self.name!r}"
            )
        if not 0 < len(self.title) <= _MAX_TITLE_CHARACTERS:
            raise ValueError(
                f"the title of a page must have 1 to {_MAX_TITLE_CHARACTERS} characters; "
                f"got {self.title!r}"
            )


# A cell as JSON: a number, a text, nothing, or the number of a pid.
_Cell: TypeAlias = "int | float | str | dict[str, Pid] | None"


@dataclass(frozen=True, slots=True)
class TableView:
    """The rows of a table that match the search; ``matching`` is how many there are."""

    title: str
    columns: list[str]
    rows: list[list[_Cell]]
    matching: int
    total: int


@dataclass(frozen=True, slots=True)
class PageView:
    """A page of the application."""

    name: str
    figures: list[tuple[str, _Cell]]
    tables: list[TableView]


def checked(pages: Iterable[Page], taken: Iterable[str]) -> dict[str, Page]:
    """Return pages by name.

    Args:
        pages: The pages of an application.
        taken: Names of the observer's own pages.

    Raises:
        TypeError: One is not a `Page`.
        ValueError: There are too many, or two have the same name.
    """
    found: dict[str, Page] = {}
    for page in pages:
        if not isinstance(page, Page):
            raise TypeError(f"pages must be of the class Page; got {page!r}")
        if page.name in found or page.name in taken:
            raise ValueError(f"another page has the name {page.name!r}; choose another")
        found[page.name] = page
    if len(found) > MAX_PAGES:
        raise ValueError(
            f"an observer can have {MAX_PAGES} pages of its application; got {len(found)}"
        )
    return found


async def read_page(pages: Mapping[str, Page], query: Query) -> PageView:
    """Return the content of the page that the query names.

    Raises:
        UnknownError: There is no such page.
    """
    page = pages.get(query.page)
    if page is None:
        raise UnknownError(f"unknown page {query.page[:50]!r}; use {', '.join(pages) or 'none'}")
    found = page.read()
    content = await found if inspect.isawaitable(found) else found
    figures = [(name, _cell(value)) for name, value in content.figures.items()]
    return PageView(page.name, figures, [_table(table, query) for table in content.tables])


def _table(table: Table, query: Query) -> TableView:
    rows = [row for row in table.rows if query.search in _searched(row)] if query.search else None
    matching = table.rows if rows is None else rows
    shown = [[_cell(value) for value in row] for row in matching[: query.limit]]
    return TableView(table.title, list(table.columns), shown, len(matching), len(table.rows))


def _searched(row: Sequence[Any]) -> str:
    return "\n".join(value if isinstance(value, str) else short(value) for value in row).lower()


def _cell(value: Any) -> _Cell:
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float() | None:
            # JSON has neither infinity nor nan, and JavaScript rounds larger numbers.
            return value if value is None or abs(value) < 2**53 else str(value)
        case str():
            return cut(value, _MAX_CELL_CHARACTERS)
        case Pid():
            return {"pid": value}
        case _:
            return short(value)
