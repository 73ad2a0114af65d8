"""The pages about the API and about security are complete."""

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Route

from transaction_tracker import api
from transaction_tracker.api.answers import ADMIN, READ, WRITE
from transaction_tracker.api.routes import ROUTERS
from transaction_tracker.metrics import Gauges, Metrics, SourceGauges
from transaction_tracker.metrics.gauges import LeaseGauges

from .support import Client

DOCS = Path(__file__).parents[4] / "docs" / "tracker"
PAGE = DOCS / "http_api.md"
TESTS = Path(__file__).parents[1]
SOURCE = Path(api.__file__).parents[1]
SCOPES = {"read": READ, "write": WRITE, "admin": ADMIN}


def rows(header: str) -> Iterator[list[str]]:
    """Return the cells of the table with this header."""
    for line in PAGE.read_text().partition(f"| {header} |")[2].splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def first_cells(header: str) -> list[str]:
    return [row[0].strip("`") for row in rows(header)]


async def test_page_lists_every_route(client: Client) -> None:
    described = (await client.get("/openapi.json")).json["paths"]
    known = [f"{method.upper()} {path}" for path, found in described.items() for method in found]

    assert sorted(first_cells("Route | Scope | Description")) == sorted(known)


def test_page_names_the_scope_of_every_route() -> None:
    told = {row[0].strip("`"): row[1] for row in rows("Route | Scope | Description")}
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, Route)]
    needed = {
        f"{method} {route.path}": " ".join(
            scope for scope, one in SCOPES.items() if one in getattr(route, "dependencies", ())
        )
        for route in routes
        for method in route.methods or ()
    }

    assert told == needed


def test_page_lists_every_problem_type() -> None:
    files = (path for part in ("api", "router") for path in (SOURCE / part).rglob("*.py"))
    source = "".join(path.read_text() for path in files)
    kind = r'(?:kind=|WRONG_SHARD = )"([a-z-]+)"'
    known = set(re.findall(rf'{kind}|"([a-z]+-[a-z]+-(?:full|waiters|streams))"', source))

    # Nothing in the API waits for a tracker in a way that could find it parked.
    assert set(first_cells("Type | Status | Meaning")) == {a or b for a, b in known} - {"parked"}


def test_page_lists_every_metric() -> None:
    others = ("tracked", "alerts", "sources", "lease")
    numbers = {one.name: 0 for one in fields(Gauges) if one.name not in others}
    every = Gauges({"pending": 1}, {("disk.low", "warning"): 1}, **numbers)
    paused = {"main": SourceGauges(source_paused=0)}
    every = replace(every, sources=paused, lease=LeaseGauges(1, 1, 1.0, 1, 0, 1))
    page = Metrics(runtime=False).render(every).decode()
    known = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in text_string_to_metric_families(page)
        if not family.name.endswith("_created")
    }

    assert set(first_cells("Metric | Labels | Description")) == known


async def test_metrics_have_no_undocumented_name(client: Client) -> None:
    page = (await client.get("/metrics")).body.decode()
    families = text_string_to_metric_families(page)
    ours = {family.name for family in families if family.name.startswith("transaction_tracker_")}
    told = {name.removesuffix("_total") for name in first_cells("Metric | Labels | Description")}

    assert len(ours) >= 20
    assert {name for name in ours if not name.endswith("_created")} <= told


def test_files_of_the_security_page_exist() -> None:
    rules = re.findall(r"^\| [^|]+ \| ([^|]+) \| ([^|]+) \|$", security(), re.MULTILINE)
    files = [
        folder / name
        for cells in rules
        for folder, cell in zip((SOURCE, TESTS), cells, strict=True)
        for name in re.findall(r"`([^`]+)`", cell)
    ]

    assert len(files) >= 60
    assert [file for file in files if not file.exists()] == []


def test_security_page_lists_every_rpc_method() -> None:
    modules = [*(SOURCE / "sources").rglob("*.py"), SOURCE / "providers" / "subscription.py"]
    method = r"(?:eth|debug|trace)_[a-z]\w+"
    asked = {name for one in modules for name in re.findall(rf'"({method})"', one.read_text())}

    assert set(re.findall(rf"`({method})`", security())) == asked - {"eth_subscription"}


def security() -> str:
    return (DOCS / "security.md").read_text()
