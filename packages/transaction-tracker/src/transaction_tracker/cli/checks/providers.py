"""Check whether the providers respond, agree with each other, and are up to date."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transaction_tracker.cli.checks import Finding, bitcoin, error, fine, warning
from transaction_tracker.follower.verdict import limit_seconds
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.settings import Configuration
from transaction_tracker.sources import SourceError
from transaction_tracker.sources.ethereum import RpcClient, decode, fields

DEADLINE_SECONDS = 10.0
SLOW_SECONDS = 2.0
LAGGING_BLOCKS = 3
# Tolerance for differences between clocks.
FUTURE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """The responses of one provider.

    Attributes:
        name: Host of the provider.
        chain_id: Chain of the provider.
        genesis: Hash of the chain's first block; empty if the provider has pruned it.
        head: Number of the head block.
        age: Age of the head block in seconds, by the local clock.
        seconds: Total duration of the requests.
        tag_error: Why the provider has no ``safe`` or ``finalized`` block, if it is configured.
        block_error: Why the head block cannot be read, with the field; ``None`` if it can.
    """

    name: str
    chain_id: int
    genesis: str
    head: int
    age: float
    seconds: float
    tag_error: str | None = None
    block_error: str | None = None


async def check(configuration: Configuration) -> list[Finding]:
    """Query all providers concurrently, and compare their responses."""
    if not configuration.providers:
        return [
            error(
                "providers",
                "none configured",
                why="the service needs a provider to follow the chain",
                fix="add [[providers]] with a url to the configuration, or use --rpc URL",
            )
        ]
    if configuration.source.type == "bitcoin":
        shared = [*_unencrypted(configuration.providers), *_alone(configuration.providers)]
        return [*shared, *await bitcoin.check(configuration)]
    section = configuration.source
    queries = [query(provider, section.confirmations) for provider in configuration.providers]
    results = await asyncio.gather(*queries)
    reports = [result for result in results if isinstance(result, ProviderReport)]
    found = [result for result in results if isinstance(result, Finding)]
    for report in reports:
        block_time = section.block_time or section.chain_profile(report.chain_id).block_time
        found += findings(report, reports, section.chain_id, limit_seconds(block_time))
    return [*_unencrypted(configuration.providers), *_alone(configuration.providers), *found]


async def query(provider: ProviderSettings, confirmations: int | str) -> ProviderReport | Finding:
    """Query the chain and the head of one provider."""
    name = f"provider {provider.url}"
    client = RpcClient(provider.url, deadline=DEADLINE_SECONDS)
    began = time.monotonic()
    try:
        chain_id = fields.quantity(await client.call("eth_chainId"), "chain id")
        genesis, head = [
            await client.call("eth_getBlockByNumber", block, False) for block in ("0x0", "latest")
        ]
        seconds = time.monotonic() - began
        return ProviderReport(
            name,
            chain_id,
            # A node that has pruned its first block returns null; it cannot be compared.
            fields.hash32(genesis["hash"], "hash") if genesis else "",
            fields.height(head["number"], "number"),
            time.time() - fields.quantity(head["timestamp"], "timestamp"),
            seconds,
            await _tag_error(client, confirmations),
            await _block_error(client, head),
        )
    except (SourceError, KeyError, TypeError) as caught:
        return _failed(name, caught)
    finally:
        await client.close()


def findings(
    report: ProviderReport,
    reports: Sequence[ProviderReport],
    wanted: int | None,
    max_age: float,
) -> list[Finding]:
    """Compare a provider with the configuration and the other providers.

    Args:
        report: Responses of the provider.
        reports: Responses of all providers.
        wanted: Configured chain id.
        max_age: Age in seconds after which the head counts as stale.
    """
    found = [
        *_wrong_chain(report, reports, wanted),
        *_unreadable(report),
        *_lagging(report, reports),
        *_clock(report, max_age),
        *_limitations(report),
    ]
    message = f"responds in {report.seconds:.2f} s: chain {report.chain_id}, block {report.head}"
    return found or [fine(report.name, message)]


def _failed(name: str, caught: Exception) -> Finding:
    reason = str(caught) if isinstance(caught, SourceError) else "its blocks lack required fields"
    return error(
        name,
        f"request failed: {reason}",
        why="the service cannot follow the chain through this provider",
        fix="check the URL, its key, the network and the provider's status page",
    )


async def _tag_error(client: RpcClient, confirmations: int | str) -> str | None:
    if isinstance(confirmations, int):
        return None
    try:
        block: Any = await client.call("eth_getBlockByNumber", confirmations, False)
    except SourceError as caught:
        return str(caught)
    return None if block else "the response is null"


async def _block_error(client: RpcClient, head: Any) -> str | None:
    """Return why the full head block cannot be read; the service must read each block."""
    at = f"its block {fields.height(head['number'], 'number')} cannot be read"
    try:
        block: Any = await client.call("eth_getBlockByHash", head["hash"], True)
        if block is None:
            return None  # a reorganization can have removed it meanwhile
        found = decode.block(block)
        for transaction_id in found.ids:
            decode.transaction(found.body[found.ids[transaction_id]])
    except SourceError as caught:
        return f"{at}: {caught}"
    return None


def _unreadable(report: ProviderReport) -> Iterator[Finding]:
    if report.block_error is not None:
        yield error(
            report.name,
            report.block_error,
            why="the service cannot apply such a block, and without another provider it halts",
            fix="use another provider; report the field with the chain's name",
        )


def _wrong_chain(
    report: ProviderReport, reports: Sequence[ProviderReport], wanted: int | None
) -> Iterator[Finding]:
    counted = Counter((other.chain_id, other.genesis) for other in reports if other.genesis)
    (most, count), *rest = counted.most_common() or [((report.chain_id, report.genesis), 1)]
    rival = next((chain for chain, votes in rest if votes == count), None)
    if wanted is not None and report.chain_id != wanted:
        yield error(
            report.name,
            f"is on chain {report.chain_id}, but source.chain_id is {wanted}",
            why="the provider cannot find transactions of the configured chain",
            fix="correct its url, or source.chain_id",
        )
    elif report.genesis and rival is not None:
        if report.genesis == rival[1]:
            yield _tied(report, reports, most)
    elif (report.chain_id, report.genesis) != most and report.genesis:
        usual = next(other.name for other in reports if (other.chain_id, other.genesis) == most)
        yield error(
            report.name,
            f"is on another chain than {usual}: chain {report.chain_id} with first block "
            f"{report.genesis}, not chain {most[0]} with {most[1]}",
            why="all providers of a service must be on one chain",
            fix="remove the provider of the wrong chain, and set source.chain_id",
        )


def _tied(
    report: ProviderReport, reports: Sequence[ProviderReport], most: tuple[int, str]
) -> Finding:
    """Return the finding for a chain that has as many providers as another chain."""
    rival = next(other.name for other in reports if (other.chain_id, other.genesis) == most)
    return error(
        report.name,
        f"is on chain {report.chain_id} with first block {report.genesis}, and {rival} is on chain "
        f"{most[0]} with first block {most[1]}; both chains have the same number of providers",
        why="without a majority for one chain, the service does not start for the first time",
        fix="remove the provider of the wrong chain, or add another one; set source.chain_id",
    )


def _lagging(report: ProviderReport, reports: Sequence[ProviderReport]) -> Iterator[Finding]:
    best = max(reports, key=lambda other: other.head)
    behind = best.head - report.head
    if behind > LAGGING_BLOCKS:
        yield warning(
            report.name,
            f"is {behind} blocks behind {best.name} (at {report.head}, not {best.head})",
            why="through this provider, the service sees blocks later",
            fix="wait if it is still syncing; otherwise use another provider",
        )


def _clock(report: ProviderReport, max_age: float) -> Iterator[Finding]:
    if report.age < -FUTURE_SECONDS:
        yield warning(
            report.name,
            f"its head is {-report.age:.0f} s in the future by this machine's clock",
            why="deadlines, tokens and webhook signatures depend on the clock",
            fix="check this machine's clock (timedatectl status), then the provider's",
        )
    elif report.age > max_age + FUTURE_SECONDS:
        yield warning(
            report.name,
            f"its head is {report.age:.0f} s old by this machine's clock",
            why="if the head does not advance, no transaction can change its state",
            fix="compare its head with an explorer's, and this clock with timedatectl status; set "
            "source.block_time if the chain's blocks are slower",
        )


def _limitations(report: ProviderReport) -> Iterator[Finding]:
    if report.tag_error is not None:
        yield error(
            report.name,
            f"does not support the tag in source.confirmations: {report.tag_error}",
            why="no transaction would become final",
            fix="set source.confirmations to a number of blocks, or use another provider",
        )
    if report.seconds > SLOW_SECONDS:
        yield warning(
            report.name,
            f"took {report.seconds:.1f} s for three small requests",
            why="each block needs several such requests",
            fix="use a closer provider or a faster plan",
        )


def _unencrypted(providers: Sequence[ProviderSettings]) -> Iterator[Finding]:
    for provider in providers:
        url = provider.url.reveal()
        has_secret = bool(url.user or url.query_string or url.path.strip("/"))
        if (
            url.scheme == "http"
            and has_secret
            and url.host not in ("127.0.0.1", "::1", "localhost")
        ):
            yield warning(
                f"provider {provider.url}",
                "its URL contains a key, and requests are not encrypted",
                why="anyone on the network path can read the key and change responses",
                fix="use https",
            )


def _alone(providers: Sequence[ProviderSettings]) -> Iterator[Finding]:
    if len(providers) == 1:
        yield warning(
            "providers",
            "only one is configured",
            why="while it is down, states do not change; and a wrong response is not noticed",
            fix="add a second [[providers]] of another operator",
        )
