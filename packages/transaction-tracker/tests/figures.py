"""Figures of many random tests: each test records its own, and the end of the run adds them up."""

from collections.abc import Callable

FIGURES = "figures"

Record = Callable[[str, object], None]
