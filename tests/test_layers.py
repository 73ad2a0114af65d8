"""Imports go one way: a module imports from its own layer or one above it."""

import ast
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parent.parent / "packages"

# Each package from the top layer down: what a later layer may import from the earlier ones.
LAYERS = {
    "beamish": [
        {"errors", "pid", "messages", "child_spec", "results", "_checks", "_stable_hash"},
        {"_runtime", "process", "telemetry", "debug"},
        {"_server", "gen_server", "_registry", "registry", "_task", "task", "agent"},
        {
            "_strategy",
            "_supervision",
            "supervisor",
            "dynamic_supervisor",
            "partition_supervisor",
            "task_supervisor",
        },
        {"application", "testing", "shell", "from_thread"},
        {"observer", "exporters"},
        {"__init__", "__main__"},
    ],
    "transaction_tracker": [
        {"awake", "domain", "json_answers", "threads"},
        {"sources", "store", "node", "net"},
        {"tracker", "follower", "providers", "outbox", "listener", "metrics"},
        {"api"},
        {"application", "settings"},
        {"demo", "cli"},
        {"__init__", "__main__"},
    ],
}


def modules(package: str) -> list[Path]:
    return sorted((PACKAGES / package.replace("_", "-") / "src" / package).rglob("*.py"))


def room(package: str, path: Path) -> str:
    """Name the top module or folder of the package that holds ``path``."""
    root = PACKAGES / package.replace("_", "-") / "src" / package
    return path.relative_to(root).parts[0].removesuffix(".py")


def layer(package: str, name: str) -> int:
    for number, names in enumerate(LAYERS[package]):
        if name in names:
            return number
    pytest.fail(f"{package}.{name} is in no layer: add it to LAYERS in {__file__}")


def imported(package: str, path: Path) -> set[str]:
    """List the rooms of ``package`` that the module at ``path`` imports, for typing too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            parts = node.module.split(".")
            if parts[0] == package:
                names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {
                alias.name.split(".")[1]
                for alias in node.names
                if alias.name.startswith(f"{package}.")
            }
        elif isinstance(node, ast.ImportFrom) and node.level:
            pytest.fail(f"{path}:{node.lineno} imports relatively: name the package")
    return names


@pytest.mark.parametrize("package", LAYERS)
def test_no_module_imports_from_a_layer_below_its_own(package: str) -> None:
    wrong = []
    for path in modules(package):
        own = layer(package, room(package, path))
        wrong += [
            f"{path.name} imports {package}.{name}"
            for name in imported(package, path)
            if layer(package, name) > own
        ]

    assert wrong == []


def test_beamish_imports_only_the_standard_library_and_itself() -> None:
    import sys

    allowed = sys.stdlib_module_names | {"beamish"}
    optional = {"exporters", "observer", "shell", "testing"}  # extras may need more
    foreign = []
    for path in modules("beamish"):
        if room("beamish", path) in optional:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                tops = {(node.module or "").split(".")[0]}
            elif isinstance(node, ast.Import):
                tops = {alias.name.split(".")[0] for alias in node.names}
            else:
                continue
            foreign += [f"{path.name}: {top}" for top in tops - allowed]

    assert foreign == []
