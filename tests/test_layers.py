"""Imports go one way, between the packages and between the layers of each."""

import ast
from pathlib import Path

import pytest

from .imports import found_in, imports

pytestmark = pytest.mark.once

PACKAGES = Path(__file__).parent.parent / "packages"

# Each package from the top layer down: a later layer can import from the earlier ones. A later
# package can import from the earlier ones, too.
LAYERS = {
    "beamish": [
        {
            "errors",
            "pid",
            "messages",
            "child_spec",
            "results",
            "heap",
            "_checks",
            "_native",
            "_stable_hash",
        },
        {"telemetry"},
        {"_runtime"},
        {"_diagnostics"},
        {"process", "debug"},
        {"_server", "gen_server", "_registry", "registry", "_task", "task", "agent"},
        {
            "_strategy",
            "_supervision",
            "supervisor",
            "dynamic_supervisor",
            "partition_supervisor",
            "task_supervisor",
        },
        {
            "_signals",
            "application",
            "testing",
            "shell",
            "from_thread",
            "_snapshots",
            "erlang",
            "cluster",
        },
        {"observer", "exporters", "_accelerate"},
        {"__init__", "__main__"},
    ],
    "transaction_tracker": [
        {"awake", "domain", "json_answers", "lazy", "slices", "threads"},
        {"net"},
        {"options"},
        {"sources", "store"},
        {"tracker", "follower", "providers", "delivery", "metrics"},
        {"alerts"},
        {"api"},
        {"router"},
        {"service", "settings"},
        {"cli"},
        {"__init__", "__main__"},
    ],
    "txtrack_devnode": [
        {"hashing", "transaction", "block", "blocks", "ledger", "pool", "rules", "tokens"},
        {"admission", "chain", "view"},
        {"rpc", "params", "wire", "calls", "faults", "logs"},
        {"ethereum", "controls", "fault_controls", "request_handler", "websocket", "listener"},
        {"server"},
        {"bitcoin"},
        {"demo"},
        {"commands"},
        {"__init__"},
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
    for node in imports(path):
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


def module_name(package: str, path: Path) -> str:
    root = PACKAGES / package.replace("_", "-") / "src"
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imported_modules(package: str) -> dict[str, set[str]]:
    """Map each module of ``package`` to those of its modules that it imports, for typing too."""
    known = {module_name(package, path): path for path in modules(package)}
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        found[name] = set()
        for node in imports(path):
            if isinstance(node, ast.ImportFrom) and node.module in known:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= inner & known.keys() or {node.module}
            elif isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names} & known.keys()
    return found


def circles(imports: dict[str, set[str]]) -> list[str]:
    """List the modules that import themselves through others."""

    def reaches(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [*imports[start]]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += imports[name]
        return seen

    return [name for name in imports if name in reaches(name)]


def imported_tops(path: Path) -> set[str]:
    """List the packages that the module at ``path`` imports, for typing too."""
    tops: set[str] = set()
    for node in imports(path):
        if isinstance(node, ast.ImportFrom):
            tops.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            tops |= {alias.name.split(".")[0] for alias in node.names}
    return tops


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


@pytest.mark.parametrize("package", LAYERS)
def test_no_module_imports_itself_through_others(package: str) -> None:
    assert circles(imported_modules(package)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import a",
        "def f():\n    from a import b",
        "class C:\n    def f(self):\n        import a",
        "if x:\n    pass\nelif y:\n    pass\nelse:\n    import a",
        "try:\n    pass\nexcept E:\n    import a",
        "try:\n    pass\nfinally:\n    import a",
        "for x in y:\n    pass\nelse:\n    import a",
        "async def f():\n    async with x:\n        import a",
        "match x:\n    case 1:\n        import a",
    ],
)
def test_import_is_found(source: str) -> None:
    assert len(list(found_in(source))) == 1


def test_circle_of_imports_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]


@pytest.mark.parametrize("package", LAYERS)
def test_no_package_imports_from_one_above_it(package: str) -> None:
    above = set([*LAYERS][[*LAYERS].index(package) + 1 :])
    wrong = [
        f"{path} imports {top}"
        for path in modules(package)
        for top in imported_tops(path)
        if top in above
    ]

    assert wrong == []


def test_development_node_shares_no_code_with_what_it_tests() -> None:
    package = "txtrack_devnode"
    on_top = {"demo", "commands"}  # these play with the tracker and its command line
    wrong = [
        path.name
        for path in modules(package)
        if room(package, path) not in on_top and "transaction_tracker" in imported_tops(path)
    ]

    assert wrong == []


def test_beamish_imports_only_the_standard_library_and_itself() -> None:
    import sys

    allowed = sys.stdlib_module_names | {"beamish"}
    optional = {"cluster", "exporters", "observer", "shell", "testing"}  # extras may need more
    foreign = []
    for path in modules("beamish"):
        if room("beamish", path) in optional:
            continue
        foreign += [f"{path.name}: {top}" for top in imported_tops(path) - allowed]

    assert foreign == []
