"""The imports of a module, read from its source."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# The parts of a statement that hold statements; an import cannot be in an expression.
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")


@cache
def imports(path: Path) -> list[ast.Import | ast.ImportFrom]:
    """Return all imports of the module, those in functions too."""
    return list(found_in(path.read_text()))


def found_in(source: str) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield all imports of a program."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        for body in _BODIES:
            waiting += getattr(node, body, ())
