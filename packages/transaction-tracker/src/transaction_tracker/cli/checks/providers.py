"""Whether the providers answer, agree with one another, and are up to date."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from transaction_tracker.cli.checks.finding import Finding, error, fine, warning
from transaction_tracker.follower.verdict import limit_seconds
from transaction_tracker.settings import Configuration, ProviderSection
from transaction_tracker.sources import SourceError
from transaction_tracker.sources.ethereum import RpcClient, decode, fields

DEADLINE_SECONDS = 10.0
SLOW_SECONDS = 2.0
LAGGING_BLOCKS = 3
# How far a clock can be wrong without harm.
FUTURE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What one provider said of itself.

    Attributes:
        name: Its host.
        chain_id: The chain that it is on.
        genesis: The hash of the chain's first block.
        head: The number of its highest block.
        age: Seconds since that block, by our clock.
        seconds: How long it took to answer all this.
        tag_error: Why it cannot tell the ``safe`` or ``finalized`` block that was asked for.
        block_error: Why its head block cannot be read, with the field; ``None`` when it can.
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
    """Ask all providers at once, and compare what they say."""
    if not configuration.providers:
        return [
            error(
                "providers",
                "none is configured",
                why="without one there is nothing to follow",
                do="add [[providers]] with a url to the configuration, or give --rpc URL",
            )
        ]
    asked = [ask(one, configuration.source.confirmations) for one in configuration.providers]
    answers = await asyncio.gather(*asked)
    known = [one for one in answers if isinstance(one, Answers)]
    found = [one for one in answers if isinstance(one, Finding)]
    for one in known:
        section = configuration.source
        block_time = section.block_time or section.chain_profile(one.chain_id).block_time
        found += findings(one, known, section.chain_id, limit_seconds(block_time))
    return [*_unencrypted(configuration.providers), *_alone(configuration.providers), *found]


async def ask(provider: ProviderSection, confirmations: int | str) -> Answers | Finding:
    """Ask one provider who it is and where its head is."""
    name = f"provider {provider.url}"
    client = RpcClient(provider.url, deadline=DEADLINE_SECONDS)
    began = time.monotonic()
    try:
        chain_id = fields.quantity(await client.call("eth_chainId"), "chain id")
        genesis, head = [
            await client.call("eth_getBlockByNumber", block, False) for block in ("0x0", "latest")
        ]
        seconds = time.monotonic() - began
        return Answers(
            name,
            chain_id,
            # A node that has thrown old blocks away says null, and cannot be compared.
            fields.hash32(genesis["hash"], "hash") if genesis else "",
            fields.height(head["number"], "number"),
            time.time() - fields.quantity(head["timestamp"], "timestamp"),
            seconds,
            await _tag_error(client, confirmations),
            await _block_error(client, head),
        )
    except (SourceError, KeyError, TypeError) as caught:
        return _no_answer(name, caught)
    finally:
        await client.close()


def findings(
    one: Answers, others: Sequence[Answers], wanted: int | None, max_age: float
) -> list[Finding]:
    """Judge a provider's answers by the configuration and the other providers' answers.

    Args:
        one: The provider's answers.
        others: Those of all providers.
        wanted: The chain that is configured.
        max_age: Seconds after which a head that does not advance is reported.
    """
    found = [
        *_wrong_chain(one, others, wanted),
        *_unreadable(one),
        *_lagging(one, others),
        *_clock(one, max_age),
        *_manners(one),
    ]
    what = f"answers in {one.seconds:.2f} s: chain {one.chain_id}, block {one.head}"
    return found or [fine(one.name, what)]


def _no_answer(name: str, caught: Exception) -> Finding:
    what = str(caught) if isinstance(caught, SourceError) else "its blocks lack what blocks have"
    return error(
        name,
        f"cannot be asked: {what}",
        why="the service follows the chain through it",
        do="check the address, the key in it, the network and the provider's status page",
    )


async def _tag_error(client: RpcClient, confirmations: int | str) -> str | None:
    if isinstance(confirmations, int):
        return None
    try:
        block: Any = await client.call("eth_getBlockByNumber", confirmations, False)
    except SourceError as caught:
        return str(caught)
    return None if block else "it knows no such block"


async def _block_error(client: RpcClient, head: Any) -> str | None:
    """Return why the head block cannot be read in full, as the service must read it."""
    at = f"its block {fields.height(head['number'], 'number')} cannot be read"
    try:
        block: Any = await client.call("eth_getBlockByHash", head["hash"], True)
        if block is None:
            return None  # it can have left the chain since
        found = decode.block(block)
        for transaction_id in found.ids:
            decode.transaction(found.body[found.ids[transaction_id]])
    except SourceError as caught:
        return f"{at}: {caught}"
    return None


def _unreadable(one: Answers) -> Iterator[Finding]:
    if one.block_error is not None:
        yield error(
            one.name,
            one.block_error,
            why="the service cannot apply such a block, and without another provider it halts",
            do="use another provider; report the field with the chain's name",
        )


def _wrong_chain(one: Answers, others: Sequence[Answers], wanted: int | None) -> Iterator[Finding]:
    counted = Counter((other.chain_id, other.genesis) for other in others if other.genesis)
    (most, count), *rest = counted.most_common() or [((one.chain_id, one.genesis), 1)]
    rival = next((who for who, votes in rest if votes == count), None)
    if wanted is not None and one.chain_id != wanted:
        yield error(
            one.name,
            f"is on chain {one.chain_id}, and source.chain_id is {wanted}",
            why="transactions of another chain would be taken for missing",
            do="correct its url, or source.chain_id",
        )
    elif one.genesis and rival is not None:
        if one.genesis == rival[1]:
            yield _tied(one, others, most)
    elif (one.chain_id, one.genesis) != most and one.genesis:
        usual = next(other.name for other in others if (other.chain_id, other.genesis) == most)
        yield error(
            one.name,
            f"is on another chain than {usual}: chain {one.chain_id}, which begins with block "
            f"{one.genesis}, not chain {most[0]} and {most[1]}",
            why="one application follows one chain, through providers that agree on it",
            do="remove the one that is wrong, and set source.chain_id",
        )


def _tied(one: Answers, others: Sequence[Answers], most: tuple[int, str]) -> Finding:
    """Return the finding for a provider of a chain that as many providers are on as on another."""
    rival = next(other.name for other in others if (other.chain_id, other.genesis) == most)
    return error(
        one.name,
        f"is on chain {one.chain_id}, which begins with block {one.genesis}, and {rival} is on "
        f"chain {most[0]}, which begins with {most[1]}: as many providers say one as the other",
        why="nothing tells which chain this is, so that the service does not start for the first "
        "time",
        do="remove the provider that is wrong, or add another one; set source.chain_id",
    )


def _lagging(one: Answers, others: Sequence[Answers]) -> Iterator[Finding]:
    best = max(others, key=lambda other: other.head)
    behind = best.head - one.head
    if behind > LAGGING_BLOCKS:
        yield warning(
            one.name,
            f"is {behind} blocks behind {best.name} (at {one.head}, not {best.head})",
            why="through it, transactions are seen mined so much later",
            do="wait if it is still syncing; otherwise use another provider",
        )


def _clock(one: Answers, max_age: float) -> Iterator[Finding]:
    if one.age < -FUTURE_SECONDS:
        yield warning(
            one.name,
            f"its head is {-one.age:.0f} s in the future of this machine's clock",
            why="deadlines, tokens and webhook signatures are judged by the clock",
            do="set this machine's clock (timedatectl status), or mistrust the provider",
        )
    elif one.age > max_age + FUTURE_SECONDS:
        yield warning(
            one.name,
            f"its head is {one.age:.0f} s old by this machine's clock",
            why="if the head does not advance, no transaction can change its state",
            do="compare its head with an explorer's, and this clock with timedatectl status; set "
            "source.block_time if the chain's blocks come more slowly",
        )


def _manners(one: Answers) -> Iterator[Finding]:
    if one.tag_error is not None:
        yield error(
            one.name,
            f"cannot tell the block that source.confirmations names: {one.tag_error}",
            why="no transaction would ever become final",
            do="set source.confirmations to a number of blocks, or use another provider",
        )
    if one.seconds > SLOW_SECONDS:
        yield warning(
            one.name,
            f"took {one.seconds:.1f} s for three small questions",
            why="every block takes several of them",
            do="use a provider that is nearer, or a plan that is faster",
        )


def _unencrypted(providers: Sequence[ProviderSection]) -> Iterator[Finding]:
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
                "its address holds a key, and goes over the network unencrypted",
                why="anyone on the way can read the key, and change what the node says",
                do="use https",
            )


def _alone(providers: Sequence[ProviderSection]) -> Iterator[Finding]:
    if len(providers) == 1:
        yield warning(
            "providers",
            "no second opinion: there is only one",
            why="when it is away nothing is seen, and a wrong answer of it cannot be noticed",
            do="add a second [[providers]], of another operator",
        )
