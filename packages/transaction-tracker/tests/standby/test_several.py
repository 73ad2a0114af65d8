"""A standby that takes over several sources."""

import signal
from collections.abc import Iterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from txtrack_devnode import DevelopmentNode

from ..postgres import Postgres  # noqa: TID252
from ..sharding.programs import Served  # noqa: TID252

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(300)]

PATH = "/v1/transactions"
CONFIG = """
[database]
url = "{database}"
lease = "5s"

[[sources]]
name = "main"
chain_id = 31337
confirmations = 3
poll_interval = "0.05s"

[[sources.providers]]
url = "{main}"

[[sources]]
name = "side"
chain_id = 31338
confirmations = 2
poll_interval = "0.05s"

[[sources.providers]]
url = "{side}"
"""


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    with postgres.database(template="template0") as url:
        yield url


def is_ready(status: int, _: Any) -> bool:
    return status == 200


def is_standby(status: int, content: Any) -> bool:
    return status == 503 and content["type"].endswith(":standby")


def sent(node: DevelopmentNode, count: int) -> list[str]:
    sender, *_, receiver = node.chain.accounts
    return [node.chain.submit(sender, receiver, number + 1).hash for number in range(count)]


async def confirmed(machine: Served, nodes: list[DevelopmentNode], ids: list[str]) -> None:
    """Mine until all transactions are confirmed."""
    for node in nodes:
        node.chain.mine(4)
    for name in ids:
        await machine.until(
            f"{PATH}/{name}",
            lambda status, found: status == 200 and found["state"] == "confirmed",
        )


async def test_standby_takes_over_all_sources(database: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        away = await stack.enter_async_context(AsyncExitStack())
        nodes = [
            await stack.enter_async_context(DevelopmentNode(chain_id=31337)),
            await away.enter_async_context(DevelopmentNode(chain_id=31338)),
        ]
        config = tmp_path / "txtrack.toml"
        main, side = (node.url for node in nodes)
        config.write_text(CONFIG.format(database=database, main=main, side=side))
        a, b = [
            await stack.enter_async_context(Served("serve", "--standby", "--config", str(config)))
            for _ in range(2)
        ]
        await a.start()
        await a.until("/readyz", is_ready)
        await b.start()
        await b.until("/readyz", is_standby)
        first = sent(nodes[0], 5) + sent(nodes[1], 5)
        chains = ["eip155:31337"] * 5 + ["eip155:31338"] * 5
        ids = [f"{chain}:{tx}" for chain, tx in zip(chains, first, strict=True)]
        _, reply = await a.ask("POST", PATH, json=[{"id": name} for name in ids])
        assert reply["accepted"] == 10

        await a.end(signal.SIGKILL)

        await b.until("/readyz", is_ready)
        await confirmed(b, nodes, ids)
        states = {each["name"]: each["state"] for each in (await b.get("/v1/sources"))["sources"]}
        assert states == {"main": "running", "side": "running"}
        _, metrics = await b.ask("GET", "/metrics")
        for sample in ("owner 1.0", "epoch 2.0", "takeovers_total 1.0"):
            assert f"transaction_tracker_lease_{sample}" in metrics
        # Each event once, and without a gap, although two programs have written them.
        versions: dict[str, list[int]] = {}
        for event in (await b.get("/v1/events?limit=1000"))["events"]:
            versions.setdefault(event["caip_id"], []).append(event["version"])
        assert set(versions) == set(ids)
        for found in versions.values():
            assert found[0] == 1
            assert all(after == before + 1 for before, after in pairwise(found))

        # A source that is away does not keep the standby from taking over the other one.
        await a.start()
        await a.until("/readyz", is_standby)
        (again,) = sent(nodes[0], 1)
        name = f"eip155:31337:{again}"
        await b.ask("POST", PATH, json={"id": name})
        await away.aclose()
        assert await b.end(signal.SIGTERM) == 0

        await a.until("/readyz", is_ready)
        await confirmed(a, nodes[:1], [name])
