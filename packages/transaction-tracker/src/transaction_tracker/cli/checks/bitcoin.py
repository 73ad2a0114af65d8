"""Check whether the nodes of Bitcoin Core respond, agree with each other, and can be used."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transaction_tracker.cli.checks import Finding, error, fine, warning
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.providers.clients import bitcoin_client
from transaction_tracker.settings import Configuration
from transaction_tracker.sources import ApplicationError, SourceError
from transaction_tracker.sources.bitcoin import fields, networks
from transaction_tracker.sources.ethereum.rpc import Request

LAGGING_BLOCKS = 2
# Two hours: the expected longest time between two blocks of a week is about 90 minutes.
STALE_SECONDS = 7_200.0
FUTURE_SECONDS = 7_200.0


@dataclass(frozen=True, slots=True)
class NodeReport:
    """The responses of one node.

    Attributes:
        name: Host of the node.
        network: Its network.
        genesis: Hash of its first block.
        head: Height of its newest block.
        headers: Height of its newest header, which can be of a block that it still fetches.
        age: Age of the newest block in seconds, by the local clock.
        is_syncing: Whether it still fetches the blocks that exist.
        pruned_below: Height below which it has deleted the blocks; 0 for none.
        has_index: Whether it has a complete index of transactions; ``None`` while it builds it.
        seconds: Total duration of the requests.
    """

    name: str
    network: str
    genesis: str
    head: int
    headers: int
    age: float
    is_syncing: bool
    pruned_below: int
    has_index: bool | None
    seconds: float


async def check(configuration: Configuration) -> list[Finding]:
    """Query all nodes concurrently, and compare their responses."""
    results = await asyncio.gather(*map(query, configuration.providers))
    reports = [result for result in results if isinstance(result, NodeReport)]
    found = [result for result in results if isinstance(result, Finding)]
    for report in reports:
        found += findings(report, reports, configuration.source.network)
    return found


async def query(provider: ProviderSettings) -> NodeReport | Finding:
    """Query the chain, the head and the indexes of one node."""
    name, client = f"provider {provider.url}", bitcoin_client(provider)
    began = time.monotonic()
    try:
        info: Any = await client.call("getblockchaininfo")
        genesis: Any = await client.call("getblockhash", 0)
        header: Any = await client.call("getblockheader", info["bestblockhash"])
        (indexes,) = await client.batch([Request("getindexinfo")])
        return NodeReport(
            name,
            fields.network_name(info),
            fields.block_hash(genesis),
            fields.height(info["blocks"], "blocks"),
            fields.height(info["headers"], "headers"),
            time.time() - fields.height(header["time"], "time"),
            info.get("initialblockdownload") is True,
            fields.height(info.get("pruneheight") or 0, "pruneheight"),
            _has_index(indexes),
            time.monotonic() - began,
        )
    except (SourceError, KeyError, TypeError, AttributeError) as caught:
        return _failed(name, caught)
    finally:
        await client.close()


def findings(
    report: NodeReport, reports: Sequence[NodeReport], wanted: str | None
) -> list[Finding]:
    """Compare a node with the configuration and the other nodes.

    Args:
        report: Responses of the node.
        reports: Responses of all nodes.
        wanted: Configured network.
    """
    found = [
        *_wrong_network(report, reports, wanted),
        *_behind(report, reports),
        *_clock(report),
        *_limitations(report),
    ]
    message = f"responds in {report.seconds:.2f} s: {report.network}, block {report.head}"
    return found or [fine(report.name, message)]


def _has_index(answer: Any) -> bool | None:
    if isinstance(answer, ApplicationError):
        return None  # before version 0.21, nodes do not say it
    if isinstance(answer, SourceError):
        raise answer
    index = answer.get("txindex")
    return False if index is None else (True if index.get("synced") is True else None)


def _failed(name: str, caught: Exception) -> Finding:
    reason = str(caught) if isinstance(caught, SourceError) else "its answers lack required fields"
    return error(
        name,
        f"request failed: {reason}",
        why="the service cannot follow the chain through this node",
        fix="check the url, its user and password or cookie_file, and rpcallowip of the node",
    )


def _wrong_network(
    report: NodeReport, reports: Sequence[NodeReport], wanted: str | None
) -> Iterator[Finding]:
    most = Counter(other.genesis for other in reports).most_common(1)[0][0]
    known = networks.of_genesis(report.genesis)
    if known is None:
        yield error(
            report.name,
            f"is on an unknown network, whose first block is {report.genesis}",
            why="its addresses and rules are unknown",
            fix=f"use a node of one of: {', '.join(networks.NETWORKS)}",
        )
    elif wanted is not None and known.name != wanted:
        yield error(
            report.name,
            f"is on the network {known.name}, but source.network is {wanted}",
            why="the node cannot find transactions of the configured network",
            fix="correct its url, or source.network",
        )
    elif report.genesis != most:
        yield error(
            report.name,
            f"is on the network {known.name}, unlike most nodes",
            why="all providers of a service must be on one network",
            fix="remove the node of the wrong network, and set source.network",
        )


def _behind(report: NodeReport, reports: Sequence[NodeReport]) -> Iterator[Finding]:
    best = max(max(other.head, other.headers) for other in reports)
    if report.is_syncing:
        yield warning(
            report.name,
            f"is still fetching blocks: it has {report.head} of {report.headers}",
            why="transactions in the blocks that it lacks are not found",
            fix="wait until bitcoin-cli getblockchaininfo says initialblockdownload false",
        )
    elif best - report.head > LAGGING_BLOCKS:
        yield warning(
            report.name,
            f"is {best - report.head} blocks behind (at {report.head}, not {best})",
            why="through this node, the service sees blocks later",
            fix="check its connections to other nodes: bitcoin-cli getpeerinfo",
        )


def _clock(report: NodeReport) -> Iterator[Finding]:
    if report.age < -FUTURE_SECONDS or report.age > STALE_SECONDS:
        told = "in the future" if report.age < 0 else "old"
        yield warning(
            report.name,
            f"its newest block is {abs(report.age):.0f} s {told} by this machine's clock",
            why="if no block arrives, no transaction can change its state",
            fix="compare its head with an explorer's, and this clock with timedatectl status",
        )


def _limitations(report: NodeReport) -> Iterator[Finding]:
    if not report.has_index:
        state = "has no" if report.has_index is False else "has no complete"
        yield warning(
            report.name,
            f"{state} index of transactions",
            why="a transaction that was mined before the kept blocks is not found, and one that no "
            "node knows is not dropped unless one of its inputs is unspent",
            fix="start the node with -txindex, which excludes -prune",
        )
    if report.pruned_below:
        yield warning(
            report.name,
            f"has deleted the blocks below {report.pruned_below}",
            why="after a long stop, the service cannot read the blocks in between from it",
            fix="add a provider that is not pruned",
        )
