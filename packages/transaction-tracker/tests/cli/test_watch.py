"""``txtrack watch`` with a running node: its output and its exit status."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from txtrack_devnode import GWEI, Chain, DevelopmentNode, Transaction

Txtrack = Callable[..., Awaitable[Any]]


def pay(node: DevelopmentNode, sender: int = 0, **options: object) -> Transaction:
    accounts = node.chain.accounts
    return node.chain.submit(accounts[sender], accounts[-1], 1, **options)  # type: ignore[arg-type]


def cheap(node: DevelopmentNode, sender: int) -> Transaction:
    return pay(node, sender, max_fee=GWEI - GWEI // 20, priority_fee=0)


def watching(node: DevelopmentNode, *more: str) -> list[str]:
    quick = ["--confirmations", "3", "--poll-interval", "0.1"]
    return ["watch", "--rpc", node.url, *quick, *more]


async def test_all_confirmed_ends_with_status_0(txtrack: Txtrack, node: DevelopmentNode) -> None:
    txs = [pay(node), pay(node, 1)]

    ran = await txtrack(*watching(node, *(tx.hash for tx in txs)), fresh=True)

    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "2 confirmed"
    assert f"{txs[0].hash} confirmed, 1 wei to {txs[0].to}, block " in ran.out
    assert "\x1b" not in ran.out + ran.err


async def test_one_failed_ends_with_status_3(txtrack: Txtrack, node: DevelopmentNode) -> None:
    good, bad = pay(node), pay(node, 1, reverts="closed [red]\x1b[2Jtoday")

    ran = await txtrack(*watching(node, good.hash, bad.hash))

    assert ran.status == 3
    assert ran.out.splitlines()[-1] == "1 confirmed, 1 failed"
    assert "closed [red]\N{REPLACEMENT CHARACTER}[2Jtoday" in ran.out


@pytest.mark.slow
async def test_replacement_during_a_pause_ends_with_status_4(
    txtrack: Txtrack, node: DevelopmentNode, tmp_path: Path
) -> None:
    first = cheap(node, 2)
    watch = watching(node, "--database", str(tmp_path / "watched.db"), first.hash)
    shown = ""
    while shown != "1 pending":  # not before the node has answered, which has no time limit here
        ran = await txtrack(*watch, "--timeout", "1")
        assert ran.status == 5
        shown = ran.out.splitlines()[-1]

    winner = node.chain.replace(first.hash, "cancelled")
    ran = await txtrack(*watch)

    assert ran.status == 4
    assert f"cancelled by {winner.hash}" in ran.out
    assert ran.out.splitlines()[-1] == "1 replaced"


async def test_watch_waits_for_a_node_that_is_down(txtrack: Txtrack) -> None:
    async with DevelopmentNode(chain=Chain(accounts=4), block_time=0.1) as node:
        tx = cheap(node, 2)
        watched = asyncio.create_task(txtrack(*watching(node, tx.hash, "--timeout", "20")))
        async with asyncio.timeout(50):
            while node.counters["eth_getTransactionByHash"] == 0:
                await asyncio.sleep(0.05)
        port = int(node.url.rpartition(":")[2])
    node.chain.replace(tx.hash, "repriced")

    async with DevelopmentNode(port=port, chain=node.chain, block_time=0.1):
        ran = await watched

    assert ran.status == 4


@pytest.mark.parametrize("upper", [False, True])
async def test_same_hash_twice_is_watched_once(
    txtrack: Txtrack, node: DevelopmentNode, upper: bool
) -> None:
    tx = pay(node).hash
    again = "0x" + tx[2:].upper() if upper else tx

    ran = await txtrack(*watching(node, tx, again))

    assert ran.status == 0
    assert ran.out.splitlines()[-1] == "1 confirmed"
