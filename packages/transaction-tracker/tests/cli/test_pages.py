"""The tracker's pages: their commands, flags and metrics exist."""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from transaction_tracker.cli.app import application
from transaction_tracker.metrics import Gauges, Metrics

app = application()

DOCS = Path(__file__).parents[4] / "docs" / "tracker"
PAGES = sorted(DOCS.glob("*.md"))
BLOCK = re.compile(r"^```(\w+[\w -]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Return the commands in the text and in the blocks of a page."""
    text = page.read_text()
    inline = re.findall(r"`(txtrack [a-z][^`\n]*)`", text)
    lines = [
        line.split("#")[0].removeprefix("$ ").strip()
        for kind, inside in BLOCK.findall(text)
        if kind in ("sh", "text")
        for line in inside.replace("\\\n", " ").splitlines()
    ]
    return inline + [line for line in lines if re.match("txtrack [a-z]+ ?", line)]


@cache
def help_of(*path: str) -> str:
    """Return the help of a command and of the groups that it is in."""
    _, found, _ = app.parse_commands(path)
    return "".join(one.generate_docs(recursive=False) for one in found[1:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_flags_exist(page: Path) -> None:
    wrong = []
    for text in commands(page):
        _, *words = shlex.split(text.replace("COMMAND", "").replace("$TX", "0x"))
        flags = {word.partition("=")[0] for word in words if word.startswith("--")}
        path, _, _ = app.parse_commands([word for word in words if word not in flags])
        if not path or [flag for flag in flags - {"--help"} if f"`{flag}" not in help_of(*path)]:
            wrong.append(text)

    assert wrong == []


def test_metrics_of_the_runbook_exist() -> None:
    metrics = Metrics()
    gauges = Gauges(
        alerts={},
        alerts_evaluated_seconds=0.0,
        parked=0,
        head_lag_seconds=0.0,
        head_lag_blocks=0,
        source_halted=0,
        source_lagging=0,
        ends_held=0,
        outbox_pending=0,
        outbox_oldest_seconds=0.0,
        endpoints_failing=0,
        deliveries_frozen=0,
    )
    families = text_string_to_metric_families(metrics.render(gauges).decode())
    known = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}

    named = set(re.findall(r"`(transaction_tracker_\w+)`", (DOCS / "runbook.md").read_text()))

    assert len(named) >= 8
    assert named - known == set()
