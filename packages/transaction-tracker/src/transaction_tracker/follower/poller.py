"""The poller: follows a source without blocks, by asking about each transaction in its turn."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from beamish import Continue, Down, GenServer, Ref, Task, process, telemetry
from transaction_tracker.domain import Event, Policy, Reported, Sweep
from transaction_tracker.follower.findings import Findings, Judge
from transaction_tracker.follower.outage import Outage
from transaction_tracker.follower.records import Records
from transaction_tracker.follower.status import FollowerStatus
from transaction_tracker.follower.trouble import Trouble
from transaction_tracker.follower.watch import Watch
from transaction_tracker.sources import RateLimitedError, SourceError
from transaction_tracker.sources.polled import FeedLostError, LookUpResult, Page, PolledSource
from transaction_tracker.store import Book, Step, Store, Stored, watched
from transaction_tracker.tracker import FOLLOWER, Ask, Context, Forget

_DEADLINES_AT_ONCE = 1_000
# How long to wait with a deadline that has come, when nothing certain is said.
_LATE_AGAIN_SECONDS = 15.0
# A feed that comes to no end is read on at the next turn.
_PAGES_IN_A_ROW = 20


@dataclass(frozen=True, slots=True)
class Tick:
    """It is time to see whose turn it is."""


@dataclass(frozen=True, slots=True)
class Attend:
    """Somebody wants to know something soon."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The source was left alone for long enough."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a question about some transactions."""

    ids: tuple[str, ...]
    replies: Mapping[str, LookUpResult]


class Poller(GenServer):
    """Follow a source that tells nothing unless it is asked.

    Each transaction is asked about in its turn: often while there is news of it, ever less often
    without. Questions are under way side by side, so that one without an answer holds up no
    other; what follows from the answers is decided and stored here, one after the other.

    What a feed or a push says of a bad end is a hint: it makes the question come now.

    Args:
        source: Whom to ask.
        book: The open transactions.
        policy: When waiting becomes news.
        status: Where to record that the source answers.
        poll_interval: Seconds between two looks at whose turn it is.
    """

    def __init__(
        self,
        source: PolledSource,
        book: Book,
        policy: Policy,
        status: FollowerStatus,
        *,
        poll_interval: float,
    ) -> None:
        polling = source.policy
        self._source = source
        self._book = book
        self._status = status
        self._poll_interval = poll_interval
        self._sweep = Sweep(polling.first_delay, polling.longest_delay)
        self._records = Records(book, policy, self._sweep)
        self._watch = Watch(polling)
        self._judge = Judge(book, self._sweep, self._watch, polling.agree)
        self._trouble = Trouble(poll_interval)
        self._paused = False
        self._attending = False
        self._under_way = 0
        self._busy: set[str] = set()
        # Those of the busy about which something was heard since they were asked about.
        self._outdated: set[str] = set()
        self._takers = self._ways_to_take()
        self._asked = 0
        self._feed = _FeedPlace()

    async def init(self) -> Continue:
        """Take up the open transactions, the confirmed ones that are watched, and the feed."""
        await self._records.take_up()
        await self._resume_watch()
        self._feed.place = await Store.run(partial(watched.bookmark, source=self._source.name))
        return Continue(Tick())

    @staticmethod
    def report(transaction: str) -> None:
        """Ask about a transaction now: its source has called, and said that something happened.

        For the handler of a service's inbound webhook. The call is only a hint: whoever made
        it, nothing follows but a question. Of a transaction that nobody follows, nothing does.

        Args:
            transaction: Its id at the source.

        Raises:
            InvalidTransactionError: It is no transaction id of the source.
            NoProcessError: The application does not run.
        """
        GenServer.cast(FOLLOWER, Ask(Context.current().source.identify(transaction)))

    def handle_continue(self, _arg: object) -> None:
        """Begin."""
        self._tick()

    def handle_cast(self, request: Ask | Forget) -> None:
        """Ask about a transaction soon, together with others that come now; or no more."""
        match request:
            case Ask(transaction):
                self._ask_soon(transaction)
            case Forget(transaction):
                self._records.forget(transaction)
                self._judge.forget(transaction)

    async def handle_info(self, message: object) -> None:
        """Do what it is time for, and hear what was answered."""
        match message:
            case Tick():
                self._tick()
            case Attend():
                self._attending = False
                self._ask()
            case Resume():
                self._paused = False
                self._ask()
            case (Ref() as ref, Page() | SourceError() as page):
                process.demonitor(ref, flush=True)
                await self._hear_feed(page)
            case (Ref() as ref, Answered(ids, replies)):
                process.demonitor(ref, flush=True)
                await self._hear(ids, replies)
            case Down():  # of a question that crashed, and takes us along: it is linked
                pass
            case _:
                super().handle_info(message)

    # -- Asking

    def _tick(self) -> None:
        for key in self._records.deadlines.take_due(time.time(), _DEADLINES_AT_ONCE):
            # For the case that nothing comes of it now: a transition would cancel it.
            self._records.deadlines.ask_again(key, time.time() + _LATE_AGAIN_SECONDS)
            self._sweep.add_fresh(key)
        self._ask()
        self._read_feed()
        self._measure()
        process.send_after(self.pid, Tick(), self._poll_interval)

    def _ask_soon(self, transaction: str) -> None:
        if not self._is_followed(transaction):
            return
        if transaction in self._busy:
            # The answer that is under way may be older than what was heard.
            self._outdated.add(transaction)
            return
        self._sweep.add_fresh(transaction)
        if not self._attending:
            self._attending = True
            process.send(self.pid, Attend())

    def _ask(self) -> None:
        """Put as many questions under way as there may be."""
        while self._has_room() and (ids := self._next()):
            Task.async_(_look_up, self._source, ids)
            self._under_way += 1
            self._busy.update(ids)
            self._asked += len(ids)

    def _has_room(self) -> bool:
        # After trouble one question, to see whether it is over, costs least.
        most = 1 if self._trouble.lasts else self._source.in_flight
        return not self._paused and self._under_way < most

    def _next(self) -> tuple[str, ...]:
        limit = 1 if self._trouble.lasts else self._source.ids_per_request
        while taken := self._take(limit):
            free = tuple(key for key in dict.fromkeys(taken) if self._is_free(key))
            if free:
                return free
        return ()

    def _take(self, limit: int) -> list[str]:
        """Take those whose turn it is; new, old and ended ones come first by turns."""
        self._takers.rotate(-1)
        taken: list[str] = []
        for take in self._takers:
            taken += take(_now(), limit - len(taken))
        return taken

    def _ways_to_take(self) -> deque[Callable[[float, int], list[str]]]:
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
        return self._book.get(key) is not None or key in self._watch

    # -- Hearing

    async def _hear(self, ids: tuple[str, ...], replies: Mapping[str, LookUpResult]) -> None:
        self._under_way -= 1
        self._busy.difference_update(ids)
        pause = self._trouble.note(replies, paused=self._paused)
        if self._trouble.fault is not None:
            self._status.failed(self._trouble.fault)
        if pause is not None:
            self._paused = True
            process.send_after(self.pid, Resume(), pause)
        await self._store(self._judge.of_replies(replies))
        self._ask_again(ids, replies)
        self._ask()

    def _ask_again(self, ids: tuple[str, ...], replies: Mapping[str, LookUpResult]) -> None:
        for key in ids:
            # Where the source wanted fewer questions, nothing was said of the transaction.
            unheard = isinstance(replies.get(key), RateLimitedError)
            if (unheard or key in self._outdated) and self._is_followed(key):
                self._sweep.add_fresh(key)
        self._outdated.difference_update(ids)

    async def _store(self, findings: Findings) -> None:
        events = await self._records.decide(findings.facts)
        if findings.taken_back:
            events += await self._reversals(findings.taken_back)
        self._follow_up(await self._records.commit(Step(self._source.name, events)))

    async def _reversals(self, taken_back: Mapping[str, Reported]) -> tuple[Event, ...]:
        ended = await Store.run(partial(watched.load_ended, ids=taken_back.keys()))
        events: list[Event] = []
        for one in ended:
            events += self._records.decide_ended([one], (taken_back[one.id],))
        return tuple(events)

    def _follow_up(self, stored: Stored) -> None:
        """Watch what is confirmed, and ask soon again about what is not over."""
        for event in stored.events:
            tracked = event.tracked
            if not tracked.final:
                self._sweep.again(tracked.id, _now())
                continue
            self._judge.forget(tracked.id)
            if tracked.state == "confirmed":
                self._watch.add(tracked.id, time.time(), _now())
            else:
                self._watch.forget(tracked.id)

    async def _resume_watch(self) -> None:
        seconds = self._source.policy.watch_seconds
        if not seconds:
            return
        since = time.time() - seconds
        for one in await Store.run(partial(watched.confirmed_since, since=since)):
            self._watch.resume(one.id, one.at, _now())

    # -- The feed

    def _read_feed(self) -> None:
        if not self._source.has_feed or self._feed.busy or _now() < self._feed.due:
            return
        self._feed.busy = True
        Task.async_(_read_page, self._source, self._feed.place)

    async def _hear_feed(self, page: Page | SourceError) -> None:
        feed, interval = self._feed, self._source.policy.feed_interval
        feed.busy, feed.due = False, _now() + interval
        match page:
            case FeedLostError():
                await self._begin_feed_anew()
            case SourceError():
                feed.due = _now() + feed.outage.failed(page, interval)
            case Page(entries, place, more):
                feed.outage.over()
                await self._store_page(entries, place)
                feed.pages = feed.pages + 1 if more else 0
                if 0 < feed.pages < _PAGES_IN_A_ROW:
                    feed.due = _now()
                    self._read_feed()
                else:
                    feed.pages = 0

    async def _store_page(
        self, entries: tuple[tuple[str, Reported | None], ...], place: str | None
    ) -> None:
        facts, doubtful = self._judge.of_entries(entries)
        step = Step(self._source.name, await self._records.decide(facts))
        if step.events or place != self._feed.place:
            stored = await Store.run(partial(watched.commit_page, step=step, place=place))
            self._feed.place = place
            await self._records.take_over(stored)
            self._follow_up(stored)
        for key in doubtful:
            self._ask_soon(key)

    async def _begin_feed_anew(self) -> None:
        """Read the feed from its start, and ask about all: what was missed may not come again."""
        step = Step(self._source.name)
        await Store.run(partial(watched.commit_page, step=step, place=None))
        self._feed.place = None
        if _now() < self._feed.reconciled + self._source.policy.longest_delay:
            return  # each has its turn in that time anyway
        self._feed.reconciled = _now()
        for tracked in self._book:
            self._ask_soon(tracked.id)

    def _measure(self) -> None:
        if not self._trouble.lasts:
            # Also one that nobody has a question for is well, as far as anybody knows.
            self._status.heard()
            self._status.up_to_date()
        asked, self._asked = self._asked, 0
        telemetry.execute(
            ("transaction_tracker", "sweep"),
            {"asked": asked, "age_seconds": self._sweep.age(_now())},
            {},
        )


class _FeedPlace:
    """How far the feed was read, and when it is read on."""

    def __init__(self) -> None:
        self.place: str | None = None
        self.outage = Outage()
        self.due = 0.0
        self.busy = False
        self.pages = 0
        self.reconciled = float("-inf")


async def _look_up(source: PolledSource, ids: tuple[str, ...]) -> Answered:
    return Answered(ids, await source.look_up(ids))


async def _read_page(source: PolledSource, place: str | None) -> Page | SourceError:
    try:
        return await source.read_feed(place)
    except SourceError as error:
        return error


def _now() -> float:
    return asyncio.get_running_loop().time()
