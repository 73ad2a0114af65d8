"""One class name, one concept: no two classes of a package have the same name."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path for path in ROOT.glob("packages/*/src/*") if path.is_dir())

# The same concept in two places, and why.
SHARED = {
    ("beamish", "Exporter"): "one for each format; their modules name it",
    ("beamish", "Host"): "the parts of one class that different modules need, as protocols",
    ("beamish", "Node"): "of a printed tree (public), of a cluster, of Erlang's handshake",
    ("beamish", "RemoteCall"): "Erlang's form of its base class",
    ("beamish", "RemotePid"): "Erlang's form of its base class",
    ("transaction_tracker", "Blocks"): "one for each kind of chain",
    ("transaction_tracker", "Found"): "one for each kind of chain",
    ("transaction_tracker", "LookUp"): "one for each kind of chain",
}


def classes(package: Path) -> Iterator[tuple[str, Path]]:
    """Yield the name and the module of each class that a module of the package defines."""
    for path in sorted(package.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, path.relative_to(package)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_class_name_stands_for_one_concept(package: Path) -> None:
    modules = defaultdict(list)
    for name, path in classes(package):
        modules[name].append(str(path))

    found = {name: paths for name, paths in modules.items() if len(paths) > 1}

    assert found.keys() == {name for owner, name in SHARED if owner == package.name}, found
