"""Everything that is imported is in the lock, not in the environment by chance.

Ray, for example, brings libraries with it, which `make ray` installs and `make test` does not.
"""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from .imports import imports

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
FILES = [
    path
    for folder in ("packages", "tests", "benchmarks", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
# Modules of the repository itself, and one of CPython's own tests.
OWN = {path.stem for path in FILES} | {path.parent.name for path in FILES} | {"_testcapi"}
CLUSTER = "packages/beamish/tests/cluster/requirements.txt"
IN_CLUSTER = ("packages/beamish/src/beamish/cluster/", "packages/beamish/tests/cluster/")
IN_CLUSTER += ("benchmarks/cluster", "examples/cluster/")
PEERS = "benchmarks/peers/"  # measured in an environment of their own


def named(path: str) -> set[str]:
    """Return the normalized names of the distributions in a file of requirements."""
    names = re.findall(r"^([A-Za-z][\w.-]*)", (ROOT / path).read_text(), re.MULTILINE)
    return {normalized(name) for name in names}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(path: Path) -> Iterator[str]:
    """Yield the names of the modules that a module imports, up to the first dot."""
    for node in imports(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def missing() -> Iterator[str]:
    """Yield each import of a distribution that the environment need not have."""
    locked, cluster, known = named("requirements.lock"), named(CLUSTER), packages_distributions()
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(PEERS):
            continue
        allowed = locked | cluster if name.startswith(IN_CLUSTER) else locked
        for module in sorted(set(imported(path)) - OWN - sys.stdlib_module_names):
            brought = {normalized(each) for each in known.get(module, [module])}
            if not brought & allowed:
                yield f"{name} imports {module}"


def test_every_import_is_in_the_lock() -> None:
    assert list(missing()) == []
