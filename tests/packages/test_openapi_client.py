"""A client that a well-known generator makes from the API's description."""

import asyncio
import json
import os
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from .environment import MARKS, ROOT, Environment, create, install, shared
from .pages import page_of
from .terminals import free_ports, terminals, until_listening

pytestmark = [*MARKS, pytest.mark.once]

GENERATOR = Path(__file__).parent / "generator.txt"
SECONDS = 300.0
PAYMENT = {
    "from": "0x1aa0d478f689975db407308422ef36fac23ed5d4",
    "to": "0xefd1c4e33c15e84d505ec1e915cbb933ba4fc30b",
    "value": "0x1",
}


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Given: an environment with the generator, and what the client needs, alone."""
    with shared(tmp_path_factory, "generator") as (folder, complete):
        if not complete:
            install(create(folder), "-r", GENERATOR)
    return Environment(folder)


def rpc(port: int, method: str, *parameters: Any) -> Any:
    """Ask the development node."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        return json.load(response)["result"]


async def test_generated_client_works_and_has_types(
    installed: Environment, generator: Environment, tmp_path: Path
) -> None:
    """The commands and the program of the page about the HTTP API."""
    node, web = free_ports(2)
    _, blocks = page_of("tracker/http_api.md")
    start = next(n for n, (_, block) in enumerate(blocks) if "openapi-python-client" in block)
    (_, generate), (_, program), (_, run) = blocks[start : start + 3]
    install_generator, *generate_client = generate.replace("8080", str(web)).splitlines()
    (tmp_path / "follow.py").write_text(program.replace("8080", str(web)))
    programs = [str(environment.program("")) for environment in (generator, installed)]
    variables = {"HOME": str(tmp_path), "PATH": os.pathsep.join([*programs, "/usr/bin", "/bin"])}

    async with asyncio.timeout(SECONDS), terminals(3, tmp_path, variables) as opened:
        opened[0].type(f"txtrack node --port {node} --block-time 1")
        await until_listening(node)
        (tmp_path / "txtrack.toml").write_text(
            f'[source]\nconfirmations = 3\n[[providers]]\nurl = "http://127.0.0.1:{node}"\n'
            f"[web]\nport = {web}\n"
        )
        opened[1].type("txtrack serve")
        await until_listening(web)
        paid = await asyncio.to_thread(rpc, node, "eth_sendTransaction", PAYMENT)
        await opened[2].run("\n".join(["TX=" + paid, *generate_client]))
        await opened[2].run(run)
        printed = opened[2].printed

    assert install_generator == "pip install openapi-python-client"
    assert [line for line in printed if re.search("warning|error", line, re.IGNORECASE)] == []
    state, *events, problem, _ = printed[-5:]
    assert state == f"{paid} confirmed"
    assert events == [f"{paid}:1 registered -> mined", f"{paid}:2 mined -> confirmed"]
    assert problem.startswith("404 not-tracked: 0x0000")
    check_types(generator, tmp_path)


# The generator's own file passes its arguments on without types.
CONFIGURATION = """
[mypy]
[mypy-txtrack_client.client]
disable_error_code = arg-type
"""


def check_types(generator: Environment, folder: Path) -> None:
    """Check the types of the client, and more strictly those of the program."""
    (folder / "mypy.ini").write_text(CONFIGURATION)
    mypy = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini"]
    mypy += ["--python-executable", str(generator.program("python"))]
    environment = Environment(folder)

    environment.run([*mypy, "txtrack_client"])
    environment.run([*mypy, "--strict", "--follow-imports", "silent", "follow.py"])


def test_page_names_the_generator_that_is_tested() -> None:
    page = (ROOT / "docs" / "tracker" / "http_api.md").read_text()

    assert re.search(r"^openapi-python-client==", GENERATOR.read_text(), re.MULTILINE)
    assert "pip install openapi-python-client\n" in page
