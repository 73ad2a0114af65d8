"""``txtrack`` with ``source.type = "bitcoin"``: the configuration, the doctor and the service."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from txtrack_devnode.bitcoin import BitcoinNode

from .conftest import Command, Ran

Doctor = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def node() -> AsyncIterator[BitcoinNode]:
    """A node whose newest block is some minutes old."""
    async with BitcoinNode() as running:
        running.lies["getblockheader"] = recent
        yield running


def recent(found: Any, _params: list[object]) -> object:
    return {**found, "time": int(time.time()) - 300}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "txtrack.toml"


@pytest.fixture
def doctor(command: Command, file: Path) -> Doctor:
    async def run(*nodes: str, source: str = "") -> Ran:
        providers = "".join(f'[[providers]]\nurl = "{url}"\n' for url in nodes)
        file.write_text(f'[source]\ntype = "bitcoin"\n{source}\n{providers}')
        return await command("doctor", "--json", "--port", "0", "--config", str(file))

    return run


def problems(ran: Ran) -> list[str]:
    found = [finding for finding in ran.documents if finding["severity"] != "ok"]
    assert all(finding["why"] and finding["fix"] for finding in found)
    return [f"{finding['severity']}: {finding['message']}" for finding in found]


async def test_nodes_in_order_have_no_problem(doctor: Doctor, node: BitcoinNode) -> None:
    async with BitcoinNode(node.chain) as other:
        other.lies["getblockheader"] = recent

        ran = await doctor(node.url, other.url, source='network = "regtest"')

    told = [finding["message"] for finding in ran.documents if "regtest" in finding["message"]]
    assert not [problem for problem in problems(ran) if "provider" in problem]
    assert len(told) == 2
    assert all("regtest, block 120" in message for message in told)


async def test_node_without_an_index_and_with_pruned_blocks_is_a_warning(
    doctor: Doctor, node: BitcoinNode
) -> None:
    node.state.txindex, node.state.pruned_below = False, 40

    found = problems(await doctor(node.url))

    assert "warning: has no index of transactions" in found
    assert "warning: has deleted the blocks below 40" in found
    assert "warning: only one is configured" in found


async def test_node_of_another_network_is_an_error(doctor: Doctor, node: BitcoinNode) -> None:
    found = problems(await doctor(node.url, source='network = "main"'))

    assert "error: is on the network regtest, but source.network is main" in found


async def test_node_that_is_behind_is_a_warning(doctor: Doctor, node: BitcoinNode) -> None:
    async with BitcoinNode(node.chain) as other:
        other.state.behind = 5

        found = problems(await doctor(node.url, other.url))

    assert "warning: is 5 blocks behind (at 115, not 120)" in found


async def test_refused_password_is_an_error_without_it(doctor: Doctor, node: BitcoinNode) -> None:
    url = node.url.replace("tracker:", "tracker:not-the-secret-")

    ran = await doctor(url)

    assert [problem for problem in problems(ran) if "HTTP 401" in problem]
    assert "not-the-secret" not in str(ran.documents)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("chain_id = 1", 'source.chain_id requires source.type = "ethereum"'),
        ('confirmations = "safe"', "source.confirmations must be a number of blocks"),
        ('errors = ["A()"]', 'source.errors requires source.type = "ethereum"'),
        ('network = "moon"', "source.network must be"),
    ],
)
async def test_option_of_another_chain_is_an_error(
    command: Command, file: Path, source: str, message: str
) -> None:
    file.write_text(f'[source]\ntype = "bitcoin"\n{source}\n')

    ran = await command("config", "check", "--config", str(file))

    assert message in ran.err


async def test_network_without_bitcoin_is_an_error(command: Command, file: Path) -> None:
    file.write_text('[source]\nnetwork = "main"\n')

    ran = await command("config", "check", "--config", str(file))

    assert 'source.network requires source.type = "bitcoin"' in ran.err


async def test_cookie_file_and_a_user_exclude_each_other(command: Command, file: Path) -> None:
    file.write_text(
        '[source]\ntype = "bitcoin"\n'
        '[[providers]]\nurl = "http://user:password@127.0.0.1:8332"\ncookie_file = ".cookie"\n'
    )

    ran = await command("config", "check", "--config", str(file))

    assert "providers.0.cookie_file and the user in providers.0.url cannot both be" in ran.err
    assert "password@" not in ran.err
