"""The tracker's pages: their commands, flags and metrics exist, and their steps work."""

import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
from functools import cache
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from transaction_tracker.cli.app import application
from transaction_tracker.metrics import Gauges, Metrics

from ..listening import free_port  # noqa: TID252 - for all tests of the package

app = application()

DOCS = Path(__file__).parents[4] / "docs" / "tracker"
PAGES = sorted(DOCS.glob("*.md"))
SECONDS = 250.0
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


FILE = re.compile(r"# (txtrack\.toml|receiver\.py)\n")
FOREVER = {"txtrack node": "8545", "txtrack serve": "8080", "python3 receiver.py": "9000"}
WAIT = "until (exec 3<>/dev/tcp/127.0.0.1/{}) 2> /dev/null; do sleep 0.05; done"


def script(page: str, ports: dict[str, str]) -> str:
    """Convert the page to a shell script; programs that run until Ctrl-C go to the background."""
    lines = ["set -eu", "trap 'kill $(jobs -p)' EXIT"]
    if shutil.which("curl") is None:
        lines.append(CURL)
    for kind, inside in BLOCK.findall(page):
        if named := FILE.match(inside):
            Path(named[1]).write_text(with_ports(inside, ports))
        elif kind == "sh":
            lines += step(inside)
    lines.append("until grep -q confirmed receiver.out; do sleep 0.05; done")
    return with_ports("\n".join(lines), ports)


def step(inside: str) -> list[str]:
    """Convert one block of the page."""
    last = inside.strip().splitlines()[-1]
    for command, port in FOREVER.items():
        if last.startswith(command):
            name = command.split()[1].partition(".")[0]
            return [f"{last} > {name}.out 2>&1 &", WAIT.format(port)]
    return [inside]


def with_ports(text: str, ports: dict[str, str]) -> str:
    """Replace the usual ports by free ones."""
    return re.sub("|".join(ports), lambda found: ports[found[0]], text)


# The same request, for a machine without curl.
CURL = """
curl() {
    python3 -c "
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[2], sys.argv[-1].encode()).read().decode())" "$@"
}
"""


@pytest.mark.slow
async def test_quick_start_works(tmp_path: Path) -> None:
    ports = {port: str(free_port()) for port in FOREVER.values()}
    text = script((DOCS / "quick_start.md").read_text(), ports)
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "TXTRACK_URL": f"http://127.0.0.1:{ports['8080']}",
    }

    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", text),
        env=os.environ | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    assert process.returncode == 0, out.decode()
    assert b" confirmed, block " in out
    assert b"confirmed: Final: it succeeded." in out
    lines = (tmp_path / "receiver.out").read_text().splitlines()
    assert lines[-2].startswith("confirmed {'invoice': 17} 0x")
    assert lines[-1].endswith(
        "1 wei to 0xefd1c4e33c15e84d505ec1e915cbb933ba4fc30b as expected: True"
    )
