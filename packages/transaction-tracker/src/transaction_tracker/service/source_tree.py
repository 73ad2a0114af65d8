"""One source of the service: its processes, and what outlives them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from beamish import Backoff, ChildSpec, DynamicSupervisor, Pid, Registry
from transaction_tracker.alerts import MAX_PARKED_ALERTS, ServiceFacts
from transaction_tracker.api import Following
from transaction_tracker.domain import MARGIN
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.follower import (
    REBROADCASTER,
    TRANSFER_CHECKER,
    UNIT_READER,
    WATCHDOG,
    AddressSearcher,
    Follower,
    FollowerStatus,
    Poller,
    Rebroadcaster,
    Reports,
    TransferChecker,
    UnitReader,
    Watchdog,
)
from transaction_tracker.follower.deposits import Deposits
from transaction_tracker.follower.rule_options import RuleOptions, rules_of
from transaction_tracker.providers import Pool, ProviderSettings, SubscriptionTimeouts
from transaction_tracker.providers.choice import best_head
from transaction_tracker.providers.clients import bitcoin_client, ethereum_client
from transaction_tracker.service.metrics import blocks_behind
from transaction_tracker.service.settings import Settings, SourceSettings
from transaction_tracker.service.source_state import SourceState
from transaction_tracker.service.starting import Boot, Connection
from transaction_tracker.sources import (
    ChainSource,
    PolledSource,
    has_blocks,
    has_tokens,
    watches_addresses,
)
from transaction_tracker.sources.bitcoin import BitcoinSource
from transaction_tracker.sources.bitcoin.networks import BLOCK_TIME_SECONDS
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.sources.ethereum.profiles import UNKNOWN
from transaction_tracker.store import OpenTransactions, Store
from transaction_tracker.tracker import ProcessNames, TrackerContext

# A faulty source crashes many trackers at once, for minutes. A tracker restarts soon after its
# first crash, later with an increasing delay, and is parked if it keeps crashing.
RESTART_BACKOFF = Backoff(initial=0.05, factor=2.0, maximum=30.0, jitter=0.1, reset_after=60.0)
MAX_RESTARTS = 5
MAX_SECONDS = 60.0
# Blocks kept if a tag makes states final: the chain sets tags about two epochs (64 blocks) late.
_FINALITY_BLOCKS = 96


class SourceTree:
    """The processes of one source, in a part of the supervision tree of their own.

    Args:
        options: When states are final, and the pace of the source.
        source: Source of the transactions. Default: the chain of ``pool``.
        pool: Provider pool. Default: a pool for ``endpoints``, if there is no other source.
        endpoints: The nodes of the chain.
        label: Name of the source in the configuration; ``None`` for the only source.
        rules: Rules by token and amount, of all sources.
        shard: The shard that the service is, if it is one of several.
        listens: Whether there is an ``on_event`` callback.

    Attributes:
        label: Name of the source in the configuration; ``None`` for the only source.
        source: Source of the transactions.
        pool: Provider pool; ``None`` without one.
        open_transactions: The transactions that are not final, in memory.
        state: Whether its processes run.
        context: The state that its trackers share.
    """

    def __init__(
        self,
        options: Settings | SourceSettings,
        *,
        source: ChainSource | PolledSource | None = None,
        pool: Pool | None = None,
        endpoints: tuple[ProviderSettings, ...] = (),
        label: str | None = None,
        rules: Sequence[RuleOptions] = (),
        shard: Shard | None = None,
        listens: bool = False,
    ) -> None:
        self._options = options
        self._shard = shard
        self._listens = listens
        self.label: str | None = label
        self._names = ProcessNames.of(label)
        self.pool: Pool | None = pool
        self._own_pool: Pool | None = None
        self.source: ChainSource | PolledSource = source or self._chain(endpoints)
        self.open_transactions: OpenTransactions = OpenTransactions()
        kind = options.type if has_blocks(self.source) else "http"
        self._policy = replace(options.policy, rules=rules_of(rules, label, kind))
        self._status = FollowerStatus(self._best_head)
        self._reports = Reports(label)
        self.state: SourceState = SourceState(label)
        self.context: TrackerContext = TrackerContext(
            self.source,
            self.open_transactions,
            options.confirmations,
            self._policy,
            options.expires_after,
            options.follow_repriced,
            options.rebroadcast,
            label,
        )

    @property
    def name(self) -> str:
        """Name for people: that of the configuration, or that of the only source."""
        return self.source.name if self.label is None else self.label

    @property
    def known_name(self) -> str | None:
        """Name in the database; ``None`` before the first answer of the only source."""
        return self.source.name if self.label is not None or self._status.has_begun else None

    def children(self) -> list[ChildSpec]:
        """Return the child specifications in start order, for ``rest_for_one``."""
        return [
            # If the registry stops, the trackers stop too, and ``Boot`` starts them again from
            # their rows.
            Registry.child_spec(
                keys="unique",
                name=self._names.registry,
                meta={TrackerContext.KEY: self.context},
            ),
            *([] if self.pool is None else [self.pool.child_spec()]),
            Connection.child_spec(self.source, self._source_checked, self.label),
            DynamicSupervisor.child_spec(
                name=self._names.supervisor,
                intensity="child",
                max_restarts=MAX_RESTARTS,
                max_seconds=MAX_SECONDS,
                backoff=RESTART_BACKOFF,
                on_give_up=park,
            ),
            # Before the follower: when the first block is applied, every tracker must be running.
            Boot.child_spec(self.source, label=self.label, listens=self._listens),
            self._follower(),
            # After the follower, whose clock it starts; both restart together.
            Watchdog.child_spec(
                self._status,
                self._reports,
                self.verdict_time,
                name=self._labelled(WATCHDOG),
            ),
            *self._rebroadcaster(),
            *self._unit_reader(),
            *self._searcher(),
        ]

    def following(self) -> Following:
        """Return the progress of the follower."""
        status = self._status
        now = status.now()
        verdict = self.state.verdict(status.verdict(now, self.verdict_time()), now)
        return Following(
            head=status.head,
            heard_seconds=None if status.heard_at is None else now - status.heard_at,
            applied_seconds=None if status.applied_at is None else now - status.applied_at,
            ends_held=status.held_reason is not None,
            verdict=verdict,
            now=now,
        )

    def view(self) -> ServiceFacts | None:
        """Return what the alerts need to know; ``None`` while the only source starts."""
        if self.label is None and not self._status.has_begun:
            return None  # the source can have no name yet, and a long start is not a halt
        following, census = self.following(), self.open_transactions.census
        view = ServiceFacts(
            source=self.name,
            verdict=following.verdict,
            verdict_seconds=following.now - following.verdict.since,
            block_time=self.verdict_time(),
            parked=census.parked_errors(MAX_PARKED_ALERTS),
            parked_count=census.parked,
            stored_name=self.source.name,
        )
        if self.state.paused:
            return view
        return replace(
            view,
            blocks_behind=blocks_behind(following.head, self.open_transactions),
            providers=() if self.pool is None else self.pool.status(),
        )

    def verdict_time(self) -> float:
        """Return the expected seconds between two heads: block time or poll interval.

        Blocks that are found by chance come at random: five block times pass without one every day
        or so, and fifteen almost never.
        """
        is_random = isinstance(self.source, BitcoinSource)
        return max(self._block_time() * (3 if is_random else 1), self._options.poll_interval)

    def _chain(self, endpoints: tuple[ProviderSettings, ...]) -> ChainSource:
        options = self._options
        is_bitcoin = options.type == "bitcoin"
        if self.pool is None:
            expected = BLOCK_TIME_SECONDS if is_bitcoin else options.chain_profile().block_time
            timeouts = SubscriptionTimeouts(block_time=options.block_time or expected)
            self.pool = self._own_pool = Pool(
                endpoints,
                chain_id=options.network if is_bitcoin else options.chain_id,
                hints=self._names.follower,
                timeouts=timeouts,
                create=bitcoin_client if is_bitcoin else ethereum_client,
                source=self.label,
            )
        if is_bitcoin:
            return BitcoinSource(self.pool, options.network)
        return EthereumSource(
            self.pool, options.chain_id, profile=options.profile.changes, errors=options.errors
        )

    def _source_checked(self) -> None:
        """Check the settings against the chain, and set the block time of our own pool."""
        if has_blocks(self.source):
            self.source.check_required(self._options.confirmations)
            for rule in self._policy.rules:
                self.source.check_required(rule.required)
        if self._own_pool is not None:
            self._own_pool.set_block_time(self._block_time())

    def _follower(self) -> ChildSpec:
        options = self._options
        if not has_blocks(self.source):
            return Poller.child_spec(
                cast("PolledSource", self.source),
                self.open_transactions,
                self._policy,
                self._status,
                poll_interval=options.poll_interval,
                registry=self._names.registry,
                name=self._names.follower,
            )
        required = [options.confirmations, *(rule.required for rule in self._policy.rules)]
        keep = max(_FINALITY_BLOCKS if isinstance(each, str) else each for each in required)
        return Follower.child_spec(
            self.source,
            self.open_transactions,
            self._policy,
            self._status,
            poll_interval=options.poll_interval,
            keep=keep + MARGIN,
            sweep_budget=options.sweep_budget,
            block_time=self._block_time,
            registry=self._names.registry,
            rules=options.addresses.rules,
            required=options.confirmations,
            shard=self._shard,
            checker=self._labelled(TRANSFER_CHECKER),
            name=self._names.follower,
        )

    def _rebroadcaster(self) -> list[ChildSpec]:
        if not (self._options.rebroadcast and has_blocks(self.source)):
            return []
        follower = self._names.follower
        return [Rebroadcaster.child_spec(self.source, follower, name=self._labelled(REBROADCASTER))]

    def _unit_reader(self) -> list[ChildSpec]:
        if not has_tokens(self.source):
            return []
        return [UnitReader.child_spec(self.source, name=self._labelled(UNIT_READER))]

    def _searcher(self) -> list[ChildSpec]:
        source, options = self.source, self._options
        if not watches_addresses(source):
            return []
        deposits = Deposits(
            source,
            self.open_transactions,
            options.addresses.rules,
            options.confirmations,
            self._policy,
            self._shard,
        )
        names = self._names
        searcher = AddressSearcher.child_spec(source, deposits, names.registry, name=names.searcher)
        if not source.has_others:
            return [searcher]
        checker = self._labelled(TRANSFER_CHECKER)
        return [searcher, TransferChecker.child_spec(source, deposits, name=checker)]

    def _labelled(self, name: str) -> str:
        """Return the name of a process of this source, from that of the only source."""
        return name if self.label is None else f"{name}.{self.label}"

    def _block_time(self) -> float:
        """Return the configured block time, or that of the chain's profile.

        Without a configured chain id, the profile is known only after the first check.
        """
        if self._options.block_time is not None:
            return self._options.block_time
        source = self.source
        if isinstance(source, BitcoinSource):
            return BLOCK_TIME_SECONDS
        return (source.profile if isinstance(source, EthereumSource) else UNKNOWN).block_time

    def _best_head(self) -> int | None:
        """Return the highest head of any healthy provider.

        Of three or more heads, it is the second highest: a single provider with a wrong head must
        not make the others look stuck.
        """
        return best_head([] if self.pool is None else self.pool.heads())


def park(spec: ChildSpec, _pid: Pid, reason: object) -> None:
    """Park the transaction of a tracker that kept crashing, unless it has a running tracker."""
    transaction, *label = spec.args
    context = TrackerContext.current(*label)
    if context.tracker(transaction) is None:
        tracked = context.open_transactions.get(transaction)
        Store.park(transaction if tracked is None else tracked.key, describe(reason))


def describe(reason: object) -> str:
    """Return an exit reason as one line of text."""
    if isinstance(reason, BaseException):
        return f"{type(reason).__name__}: {reason}"
    return str(reason)
