"""How numbers and tables look."""

import textwrap
from collections.abc import Sequence


def time_text(seconds: float) -> str:
    """Show a time with three digits and the unit that suits it."""
    if seconds < 1e-3:
        return f"{three_digits(seconds * 1e6)} µs"
    if seconds < 1:
        return f"{three_digits(seconds * 1e3)} ms"
    return f"{three_digits(seconds)} s"


def size_text(size_bytes: float) -> str:
    """Show a size: small ones to the byte, great ones with three digits."""
    if size_bytes < 1e6:
        return f"{size_bytes:,.0f} B"
    if size_bytes < 1e9:
        return f"{three_digits(size_bytes / 1e6)} MB"
    return f"{three_digits(size_bytes / 1e9)} GB"


def value_text(figure: str, value: float) -> str:
    """Show a value in what its figure is measured in."""
    is_size = figure.rpartition(".")[2] in {"bytes", "rss"}
    return size_text(value) if is_size else time_text(value)


def three_digits(value: float) -> str:
    """Round to three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set a Markdown table whose columns also line up on a terminal."""
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    ruler = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(line(cells, widths) for cells in [head, ruler, *rows])


def line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Set one line of a table, all but the first cell to the right."""
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return f"| {' | '.join([first, *rest])} |"


def filled(item: str) -> str:
    """Break the lines of an item of a list."""
    return textwrap.fill(
        item, 100, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
