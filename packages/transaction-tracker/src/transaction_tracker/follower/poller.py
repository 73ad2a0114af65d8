"""The poller: follows a source without blocks by asking about one transaction after another."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from beamish import Continue, Down, GenServer, Ref, Task, process, telemetry
from transaction_tracker.awake import loop_time
from transaction_tracker.domain import Event, Policy, Reported, Sweep
from transaction_tracker.follower.feed_schedule import FeedSchedule
from transaction_tracker.follower.findings import Findings, ReplyEvaluator
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.source_breaker import SourceBreaker
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.watch import Watch
from transaction_tracker.sources import RateLimitedError, SourceError
from transaction_tracker.sources.polled import FeedLostError, LookUpResult, Page, PolledSource
from transaction_tracker.store import OpenTransactions, Step, Store, Stored, watched
from transaction_tracker.tracker import (
    REGISTRY,
    CheckTransaction,
    RegistrationChanged,
    TransactionUntracked,
    place_of,
)

_MAX_DEADLINES = 1_000
# Seconds until a deadline that has passed is checked again, if the replies decide nothing.
_LATE_RETRY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Tick:
    """Message: start the look-ups that are due."""


@dataclass(frozen=True, slots=True)
class StartLookUps:
    """Message: start look-ups for transactions that must be asked about at once."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Message: the pause of the source is over."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """The result of a look-up.

    Attributes:
        ids: The transactions that were asked about.
        replies: The replies, by transaction.
    """

    ids: tuple[str, ...]
    replies: Mapping[str, LookUpResult]


class Poller(GenServer):
    """Follow a source that reports states only when asked.

    After each change of a transaction, the source is asked about it often; without a change, less
    and less often. Look-ups run concurrently, so a slow response does not delay other
    transactions. Their results are decided and stored here, one after another.

    A bad final state in a feed or a push is only a hint: the source is asked at once.

    Args:
        source: The source.
        open_transactions: The transactions that are not final, in memory.
        policy: Time limits for transactions in no block.
        status: Records whether the source responds.
        poll_interval: Seconds between two checks for look-ups that are due.
        registry: Name of the registry of the trackers.
    """

    def __init__(
        self,
        source: PolledSource,
        open_transactions: OpenTransactions,
        policy: Policy,
        status: FollowerStatus,
        *,
        poll_interval: float,
        registry: str = REGISTRY,
    ) -> None:
        polling = source.policy
        self._source = source
        self._open_transactions = open_transactions
        self._status = status
        self._poll_interval = poll_interval
        self._sweep = Sweep(polling.first_delay, polling.longest_delay)
        self._records = Records(open_transactions, policy, self._sweep, registry)
        self._watch = Watch(polling)
        self._evaluator = ReplyEvaluator(open_transactions, self._sweep, self._watch, polling.agree)
        self._breaker = SourceBreaker(poll_interval)
        self._paused = False
        self._scheduled = False
        self._in_flight = 0
        self._busy: set[str] = set()
        # Transactions whose look-up in flight can have been answered before their latest hint.
        self._outdated: set[str] = set()
        self._queues = self._new_queues()
        self._asked = 0
        self._feed = FeedSchedule(polling.feed_interval, polling.longest_delay)

    async def init(self) -> Continue:
        """Load the open transactions, the watched ones and the place in the feed."""
        await self._records.load()
        await self._resume_watch()
        self._feed.place = await Store.run(partial(watched.bookmark, source=self._source.name))
        return Continue(Tick())

    @staticmethod
    def report(transaction: str) -> None:
        """Ask the source about a transaction now, because a webhook of the source named it.

        For the handler of an inbound webhook. The call is only a hint: even a forged one causes
        nothing but a question to the source. No effect on a transaction that is not tracked.

        Args:
            transaction: Transaction id, as the source defines it.

        Raises:
            InvalidTransactionError: ``transaction`` is not a valid id for a source.
            AmbiguousIdError: Several sources have such ids: put the chain id before it.
            NoProcessError: The application is not running.
        """
        place = place_of(transaction)
        GenServer.cast(place.context.names.follower, CheckTransaction(place.id))

    def handle_continue(self, _arg: object) -> None:
        """Start the first look-ups."""
        self._tick()

    def handle_cast(
        self, request: CheckTransaction | RegistrationChanged | TransactionUntracked
    ) -> None:
        """Ask about a transaction at once, or take over its change or its end."""
        match request:
            case CheckTransaction(transaction):
                self._ask_now(transaction)
            case RegistrationChanged(transaction):
                self._records.changed(transaction)
            case TransactionUntracked(transaction):
                self._records.forget(transaction)
                self._evaluator.forget(transaction)

    async def handle_info(self, message: object) -> None:
        """Start look-ups that are due, and handle their results and the pages of the feed."""
        match message:
            case Tick():
                self._tick()
            case StartLookUps():
                self._scheduled = False
                self._ask()
            case Resume():
                self._paused = False
                self._ask()
            case (Ref() as ref, Page() | SourceError() as page):
                process.demonitor(ref, flush=True)
                await self._handle_page(page)
            case (Ref() as ref, LookedUp(ids, replies)):
                process.demonitor(ref, flush=True)
                await self._handle_replies(ids, replies)
            case Down():  # a task crashed: it is linked, so this process crashes too
                pass
            case _:
                super().handle_info(message)

    # -- Asking

    def _tick(self) -> None:
        for key in self._records.deadlines.take_due(time.time(), _MAX_DEADLINES):
            # A change of the state replaces this time. Without one, the deadline is checked again.
            self._records.deadlines.ask_again(key, time.time(), _LATE_RETRY_SECONDS)
            self._sweep.add_fresh(key)
        self._ask()
        self._read_feed()
        self._measure()
        process.send_after(self.pid, Tick(), self._poll_interval)

    def _ask_now(self, transaction: str) -> None:
        if not self._is_followed(transaction):
            return
        if transaction in self._busy:
            # The reply in flight can be older than the hint: ask again after it.
            self._outdated.add(transaction)
            return
        self._sweep.add_fresh(transaction)
        if not self._scheduled:
            self._scheduled = True
            process.send(self.pid, StartLookUps())

    def _ask(self) -> None:
        """Start as many look-ups as the source allows."""
        while self._has_room() and (ids := self._next_ids()):
            Task.async_(_look_up, self._source, ids)
            self._in_flight += 1
            self._busy.update(ids)
            self._asked += len(ids)

    def _has_room(self) -> bool:
        # After a pause, a single look-up tests whether the source responds.
        limit = 1 if self._breaker.tripped else self._source.in_flight
        return not self._paused and self._in_flight < limit

    def _next_ids(self) -> tuple[str, ...]:
        limit = 1 if self._breaker.tripped else self._source.ids_per_request
        while taken := self._take(limit):
            free = tuple(key for key in dict.fromkeys(taken) if self._is_free(key))
            if free:
                return free
        return ()

    def _take(self, limit: int) -> list[str]:
        """Return transactions to ask about.

        Watched, new and due transactions come first in turn: otherwise many transactions of one
        kind would delay the others without limit.
        """
        self._queues.rotate(-1)
        taken: list[str] = []
        for take in self._queues:
            taken += take(loop_time(), limit - len(taken))
        return taken

    def _new_queues(self) -> deque[Callable[[float, int], list[str]]]:
        return deque(
            (
                lambda now, limit: self._watch.take_due(now, time.time(), limit),
                self._sweep.take_fresh,
                self._sweep.take_due,
            )
        )

    def _is_free(self, key: str) -> bool:
        if not self._is_followed(key):
            self._sweep.forget(key)
            return False
        return key not in self._busy

    def _is_followed(self, key: str) -> bool:
        return self._open_transactions.get(key) is not None or key in self._watch

    # -- Handling replies

    async def _handle_replies(
        self, ids: tuple[str, ...], replies: Mapping[str, LookUpResult]
    ) -> None:
        self._in_flight -= 1
        self._busy.difference_update(ids)
        pause = self._breaker.note(replies, paused=self._paused)
        if self._breaker.fault is not None:
            self._status.failed(self._breaker.fault)
        if pause is not None:
            self._paused = True
            process.send_after(self.pid, Resume(), pause)
        await self._store(self._evaluator.evaluate(replies))
        self._ask_again(ids, replies)
        self._ask()

    def _ask_again(self, ids: tuple[str, ...], replies: Mapping[str, LookUpResult]) -> None:
        for key in ids:
            # A rate limit says nothing about the transaction, so it is asked about first again.
            limited = isinstance(replies.get(key), RateLimitedError)
            if (limited or key in self._outdated) and self._is_followed(key):
                self._sweep.add_fresh(key)
        self._outdated.difference_update(ids)

    async def _store(self, findings: Findings) -> None:
        events = await self._records.decide(findings.facts)
        if findings.taken_back:
            events += await self._reversals(findings.taken_back)
        self._follow_up(await self._records.commit(Step(self._source.name, events)))

    async def _reversals(self, taken_back: Mapping[str, Reported]) -> tuple[Event, ...]:
        ended = await Store.run(
            partial(watched.load_ended, ids=taken_back.keys(), source=self._source.name)
        )
        events: list[Event] = []
        for tracked in ended:
            events += self._records.decide_ended([tracked], (taken_back[tracked.id],))
        return tuple(events)

    def _follow_up(self, stored: Stored) -> None:
        """Watch confirmed transactions, and restart the delays of open ones that have changed."""
        for event in stored.events:
            tracked = event.tracked
            if not tracked.final:
                self._sweep.again(tracked.id, loop_time())
                continue
            self._evaluator.forget(tracked.id)
            if tracked.state == "confirmed":
                self._watch.add(tracked.id, time.time(), loop_time())
            else:
                self._watch.forget(tracked.id)

    async def _resume_watch(self) -> None:
        seconds = self._source.policy.watch_for
        if not seconds:
            return
        since = time.time() - seconds
        for confirmed in await Store.run(
            partial(watched.confirmed_since, since=since, source=self._source.name)
        ):
            self._watch.resume(confirmed.id, confirmed.at, loop_time())

    # -- The feed

    def _read_feed(self) -> None:
        if self._source.has_feed and self._feed.begin(loop_time()):
            Task.async_(_read_page, self._source, self._feed.place)

    async def _handle_page(self, page: Page | SourceError) -> None:
        self._feed.ended(loop_time())
        match page:
            case FeedLostError():
                await self._restart_feed()
            case SourceError():
                self._feed.failed(page, loop_time())
            case Page(entries, place, more):
                self._feed.responded()
                await self._store_page(entries, place)
                if self._feed.stored(loop_time(), has_more=more):
                    self._read_feed()

    async def _store_page(
        self, entries: tuple[tuple[str, Reported | None], ...], place: str | None
    ) -> None:
        facts, doubtful = self._evaluator.evaluate_feed(entries)
        step = Step(self._source.name, await self._records.decide(facts))
        if step.events or place != self._feed.place:
            stored = await Store.run(partial(watched.commit_page, step=step, place=place))
            self._feed.place = place
            await self._records.take_over(stored)
            self._follow_up(stored)
        for key in doubtful:
            self._ask_now(key)

    async def _restart_feed(self) -> None:
        """Read the feed from its start, and ask about all open transactions if need be."""
        step = Step(self._source.name)
        await Store.run(partial(watched.commit_page, step=step, place=None))
        if self._feed.restarted(loop_time()):
            for tracked in self._open_transactions:
                self._ask_now(tracked.id)

    def _measure(self) -> None:
        if not self._breaker.tripped:
            # A source that there is no question for counts as responding.
            self._status.heard()
            self._status.up_to_date()
        asked, self._asked = self._asked, 0
        telemetry.execute(
            ("transaction_tracker", "sweep"),
            {"asked": asked, "age_seconds": self._sweep.age(loop_time())},
            {"source": self._source.name},
        )


async def _look_up(source: PolledSource, ids: tuple[str, ...]) -> LookedUp:
    return LookedUp(ids, await source.look_up(ids))


async def _read_page(source: PolledSource, place: str | None) -> Page | SourceError:
    try:
        return await source.read_feed(place)
    except SourceError as error:
        return error
