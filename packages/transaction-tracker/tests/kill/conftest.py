"""A server of their own for these tests, and what their stories came to in all."""

from collections import Counter
from collections.abc import Iterator

import pytest

from .server import Restartable, restartable

FIGURES = "figures"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Restartable]:
    with restartable() as server:
        yield server


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add the figures of all stories up."""
    reports = terminalreporter.getreports("passed")
    found = [dict(report.user_properties)[FIGURES] for report in reports if report.user_properties]
    total: Counter[str] = Counter()
    for figures in found:
        total.update(figures)
    for name, value in total.items():
        terminalreporter.write_line(f"{name.replace('_', ' ')}: {value:,.0f}")
