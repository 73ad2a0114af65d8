"""What users depend on is still there and asks for nothing new: names, HTTP API, commands."""

import importlib.machinery
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """Return the tool as a module; its file has no suffix."""
    loader = importlib.machinery.SourceFileLoader("surface", str(ROOT / "tools" / "surface"))
    spec = importlib.util.spec_from_loader("surface", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def surface(tool: ModuleType) -> list[str]:
    lines: list[str] = tool.surface()
    return lines


def test_each_use_of_the_last_release_still_fits(tool: ModuleType, surface: list[str]) -> None:
    problems = tool.breaks(tool.STORED.read_text().splitlines(), surface)

    fix = "announce it in changelog.d/, say so in docs/stability.md, and run tools/surface --write"
    assert problems == [], f"an incompatible change: {fix}"


def test_surface_has_all_kinds(surface: list[str]) -> None:
    assert {line.split()[0] for line in surface} == {"command", "http", "migration", "python"}
    assert "python beamish.GenServer.call(dest, request, timeout=)" in surface
    assert "http GET /v1/transactions/{id} 200 state" in surface
    assert "command txtrack wait --timeout" in surface


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("python m.f(a)", "python m.f(a)"),
        ("python m.f(a)", "python m.f(a, b=)"),
        ("python m.f(a)", "python m.f(a, *, b=)"),
        ("python m.f(a, b)", "python m.f(a, b=)"),
        ("python m.f(*, b=)", "python m.f(b=)"),
        ("python m.f(a)", "python m.f(a, *args, **kwargs)"),
        ("http GET /x query a!", "http GET /x query a"),
    ],
)
def test_compatible_change_passes(tool: ModuleType, before: str, now: str) -> None:
    assert tool.breaks([before], [now, "python m.new(a)"]) == []


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ("python m.f(a)", "python m.g(a)"),
        ("python m.f(a)", "python m.f()"),
        ("python m.f(a)", "python m.f"),
        ("python m.f(a)", "python m.f(a, b)"),
        ("python m.f(a)", "python m.f(a, *, b)"),
        ("python m.f(a, b)", "python m.f(b, a)"),
        ("python m.f(a, b)", "python m.f(a, *, b)"),
        ("python m.f(a=)", "python m.f(a)"),
        ("python m.f(a)", "python m.f(x)"),
        ("python m.f(a, **kwargs)", "python m.f(a)"),
        ("http GET /x query a", "http GET /x query a!"),
        ("http GET /x 200 state", "http GET /x 200 status"),
        ("command txtrack add --key", "command txtrack add"),
        ("migration 0001", "migration 0002"),
    ],
)
def test_incompatible_change_is_found(tool: ModuleType, before: str, now: str) -> None:
    assert len(tool.breaks([before], [now])) == 1


def test_new_demand_of_an_old_operation_is_found(tool: ModuleType) -> None:
    before = ["http POST /x register"]

    assert tool.breaks(before, [*before, "http POST /x body key!"])
    assert not tool.breaks(before, [*before, "http POST /new body key!"])
