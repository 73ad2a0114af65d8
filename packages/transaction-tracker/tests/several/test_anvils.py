"""One ``txtrack serve`` follows two anvils, the development node and a bank at once."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from txtrack_devnode import Chain, DevelopmentNode

from ..service.client import Client  # noqa: TID252
from ..service.program import serving  # noqa: TID252
from ..sources.http_polling.support import scripted  # noqa: TID252
from ..tracker.anvil import twin  # noqa: TID252 - the one way to run an anvil
from ..tracker.support import submit  # noqa: TID252

pytestmark = [pytest.mark.anvil, pytest.mark.slow]

GENESIS = 1_900_000_000

CHAIN = """
[[sources]]
name = "{name}"
chain_id = {chain_id}
confirmations = 2
poll_interval = "0.05s"
block_time = "1s"
[[sources.providers]]
url = "{url}"
"""
BANK = """
[[sources]]
name = "bank"
type = "http"
poll_interval = "0.05s"
[sources.http]
name = "example-bank"
url = "{url}/v1/transfers/{{id}}"
status = "status"
id_pattern = "PAY-[0-9]{{1,12}}"
allow_private = ["127.0.0.1"]
first_delay = "0.05s"
longest_delay = "0.2s"
words = {{ processing = "pending", settled = "confirmed" }}
"""
REST = """
[database]
url = "{database}"
[web]
port = 0
[logs]
format = "json"
"""


async def txtrack(*arguments: str) -> list[dict[str, Any]]:
    """Run a command, and return the JSON lines that it prints."""
    command = [sys.executable, "-m", "transaction_tracker", *arguments, "--json"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 0
    return [json.loads(line) for line in out.splitlines()]


async def test_one_service_follows_two_anvils_a_development_node_and_a_bank(
    tmp_path: Path,
) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(twin(GENESIS, 31337))
        second = await stack.enter_async_context(twin(GENESIS, 31338))
        node = await stack.enter_async_context(
            DevelopmentNode(chain=Chain(chain_id=31339, accounts=12))
        )
        bank = await stack.enter_async_context(scripted())
        chains = [("main", 31337, first.url), ("side", 31338, second.url), ("dev", 31339, node.url)]
        config = tmp_path / "txtrack.toml"
        config.write_text(
            "".join(
                CHAIN.format(name=name, chain_id=chain_id, url=url)
                for name, chain_id, url in chains
            )
            + BANK.format(url=bank.url)
            + REST.format(database=tmp_path / "several.db")
        )
        program = await stack.enter_async_context(serving(config))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = Client(program.url, session)
        ids = [
            f"eip155:31337:{await first.pay(0, 1)}",
            f"eip155:31338:{await second.pay(0, 1)}",
            f"eip155:31339:{submit(node).hash}",
            "PAY-17",
        ]
        reply = await client.post("/v1/transactions", [{"id": one} for one in ids])
        assert reply["accepted"] == len(ids)

        second.hang()
        await first.mine(2)
        await node.mine(2)

        for one in (ids[0], ids[2], ids[3]):
            await client.reach(one, "confirmed")
        second.wake()
        await second.mine(2)
        await client.reach(ids[1], "confirmed")
        events = await client.events()
        assert {event["caip_id"] for event in events} == {*ids[:3], "http:example-bank:PAY-17"}
        listed = await txtrack("source", "ls", "--url", program.url)
        assert [(source["name"], source["state"]) for source in listed] == [
            ("main", "running"),
            ("side", "running"),
            ("dev", "running"),
            ("bank", "running"),
        ]
        assert await program.stop() == 0
