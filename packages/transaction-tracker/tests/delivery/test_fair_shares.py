"""Endpoints that hang do not delay the others: on a virtual clock, so at any speed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from yarl import URL

from beamish import GenServer, Pid, Supervisor, process
from beamish.testing import settle
from transaction_tracker.delivery import (
    OUTBOX,
    DeliveryContext,
    Outbox,
    attempt,
    endpoints,
    signature,
    worker,
)
from transaction_tracker.delivery.slots import SharedSlots, Window
from transaction_tracker.domain.webhook_endpoint import MAX_ENDPOINTS
from transaction_tracker.net import HttpResponse, NoAnswerError
from transaction_tracker.store import STORE, OpenTransactions, Store

from ..databases import SOURCE  # noqa: TID252
from ..simulated import simulate  # noqa: TID252
from ..world.clock import virtual_clock  # noqa: TID252
from .conftest import wake_all
from .support import happens

ANSWER_SECONDS = 0.03
EVENTS_PER_SECOND = 5.0


@dataclass
class Network:
    """Endpoints without sockets, in the place of the HTTP client.

    Attributes:
        answers: Seconds after which each URL answers 204; a URL that is not there hangs.
        arrived: When each message arrived at each URL: URL and message, and the loop's time.
        busy: How many requests each URL has now.
        most: The highest number of requests at once at all URLs.
        requests: How many requests there were.
        began: When each request of each URL began.
        asked: URL, headers and body of each request.
    """

    answers: dict[str, float] = field(default_factory=dict)
    arrived: dict[tuple[str, str], float] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    most: int = 0
    requests: int = 0
    began: dict[str, list[float]] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str], bytes]] = field(default_factory=list)

    async def check(self, text: str) -> URL:
        return URL(text)

    async def request(
        self,
        _method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
        **_: Any,
    ) -> HttpResponse:
        self.requests += 1
        self.began.setdefault(url, []).append(now())
        self.asked.append((url, headers, body))
        self.busy[url] = self.busy.get(url, 0) + 1
        self.most = max(self.most, sum(self.busy.values()))
        try:
            seconds = self.answers.get(url, deadline)
            await asyncio.sleep(min(seconds, deadline))
            if seconds >= deadline:
                raise NoAnswerError("timeout", f"no answer within {deadline:g} s")
            self.arrived.setdefault((url, headers["webhook-id"]), now())
            return HttpResponse(204, {}, b"", complete=True)
        finally:
            self.busy[url] -= 1

    async def close(self) -> None:
        pass


def now() -> float:
    return asyncio.get_running_loop().time()


def play(main: Callable[[Network], Awaitable[None]], seed: int = 0, **limits: int) -> None:
    """Run a store and an outbox on a virtual clock."""

    async def body() -> None:
        network = Network()
        with virtual_clock():
            await Store.start_link(":memory:", OpenTransactions(), wake_all, name=STORE)
            await Store.claim(SOURCE)
            context = DeliveryContext(network, **limits)  # type: ignore[arg-type]
            async with Supervisor.running([Outbox.child_spec(context, name=OUTBOX)]):
                await main(network)
            await GenServer.stop(STORE)

    simulate(body, seed, max_steps=20_000_000)


async def add(network: Network, url: str, *, answers: float | None = None) -> None:
    if answers is not None:
        network.answers[url] = answers
    await endpoints.add(url)


async def delays(network: Network, url: str, events: int, name: str = "tx") -> list[float]:
    """Store events, and return how long each took to arrive, the longest last."""
    written = {}
    for number in range(events):
        key = f"{name}{number}"
        written[key] = now()
        await happens(key, states=["pending"])
        await asyncio.sleep(1.0 / EVENTS_PER_SECOND)
    await asyncio.sleep(30.0)
    arrived = network.arrived
    missing = [key for key in written if (url, f"{key}:1") not in arrived]
    assert not missing, f"{len(missing)} of {events} events did not arrive in time"
    return sorted(arrived[url, f"{key}:1"] - at for key, at in written.items())


def p99(values: list[float]) -> float:
    return values[int(0.99 * len(values))]


@pytest.mark.parametrize(
    ("dead", "events", "same_host"),
    [
        (63, 40, True),
        (63, 40, False),
        pytest.param(MAX_ENDPOINTS - 1, 8, False, marks=pytest.mark.full),
    ],
)
def test_hanging_endpoints_do_not_delay_a_responsive_endpoint(
    dead: int, events: int, same_host: bool
) -> None:
    async def main(network: Network) -> None:
        for number in range(dead):
            host = "127.0.0.1" if same_host else f"host{number}.example"
            await add(network, f"https://{host}/dead{number}")
        good = "https://127.0.0.1/good"
        await add(network, good, answers=ANSWER_SECONDS)

        took = await delays(network, good, events)

        assert p99(took) < 1.0

    play(main)


def test_hanging_endpoint_does_not_delay_probes_of_others() -> None:
    """More failing endpoints than probes at a time: one that works again gets its turn."""

    async def main(network: Network) -> None:
        for number in range(20):
            await add(network, f"https://host{number}.example/")
        await add(network, "https://mended.example/")
        await happens(*(f"tx{number}" for number in range(10)), states=["pending"])
        await asyncio.sleep(300.0)

        network.answers["https://mended.example/"] = ANSWER_SECONDS
        # The longest pause, and a turn of all others of 15 s each at two at a time.
        await asyncio.sleep(1.2 * 300.0 + 15.0 * 20 / 2)

        assert network.arrived

    play(main, max_probes=2)


def test_probes_have_their_own_limit() -> None:
    async def main(network: Network) -> None:
        for number in range(20):
            await add(network, f"https://host{number}.example/")
        await happens(*(f"tx{number}" for number in range(10)), states=["pending"])
        await asyncio.sleep(200.0)  # five attempts each, of 15 s, and pauses
        network.most = 0
        await asyncio.sleep(400.0)

        assert network.most == 3

    play(main, max_probes=3)


def test_waiting_probe_is_not_sent_to_an_endpoint_disabled_meanwhile() -> None:
    async def main(network: Network) -> None:
        for number in range(10):
            await add(network, f"https://host{number}.example/")
        await happens(*(f"tx{number}" for number in range(10)), states=["pending"])
        # Five attempts of 15 to 18 s each, and then more probes than there are slots for.
        await asyncio.sleep(180.0)
        for endpoint in await endpoints.list_all():
            await endpoints.disable(endpoint.id)
        before = network.requests

        await asyncio.sleep(600.0)

        assert network.requests == before

    play(main, max_probes=1)


def test_waiting_probe_is_sent_to_the_endpoint_as_it_is_then() -> None:
    async def main(network: Network) -> None:
        for number in range(10):
            await add(network, f"https://host{number}.example/old")
        await happens(*(f"tx{number}" for number in range(10)), states=["pending"])
        await asyncio.sleep(180.0)  # as above
        changed = {}
        for endpoint in await endpoints.list_all():
            url = endpoint.url.replace("old", "new")
            network.answers[url] = ANSWER_SECONDS
            await endpoints.change(endpoint.id, url=url, states=None)
            changed[url] = await endpoints.rotate(endpoint.id, overlap=0.0)
        before = network.requests

        await asyncio.sleep(600.0)

        later = network.asked[before:]
        assert {url for url, _, _ in later} == set(changed)
        for url, headers, body in later:
            sent_at = float(headers["webhook-timestamp"])
            secrets = [changed[url].secret]
            assert headers == signature.headers(secrets, headers["webhook-id"], sent_at, body)

    play(main, max_probes=1)


def test_endpoint_rests_after_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "jitter", lambda: 1.0)
    monkeypatch.setattr(attempt, "jitter", lambda: 0.0)

    async def main(network: Network) -> None:
        url = "https://one.example/"
        await add(network, url)
        await happens(*(f"tx{number}" for number in range(3)), states=["pending"])
        await asyncio.sleep(60.0)

        first, second, third = network.began[url][:3]
        assert (second - first, third - second) == pytest.approx((20.0, 20.0), abs=0.5)

    play(main)


def test_changed_endpoint_does_not_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "jitter", lambda: 1.0)
    monkeypatch.setattr(attempt, "jitter", lambda: 0.0)

    async def main(network: Network) -> None:
        await add(network, "https://one.example/old")
        await happens(*(f"tx{number}" for number in range(3)), states=["pending"])
        await asyncio.sleep(16.0)  # the first attempt has timed out after 15 s
        (endpoint,) = await endpoints.list_all()

        url = "https://one.example/new"
        network.answers[url] = ANSWER_SECONDS
        await endpoints.change(endpoint.id, url=url, states=None)
        await asyncio.sleep(1.0)

        assert network.arrived

    play(main)


def test_slow_endpoints_of_one_host_leave_shared_slots_to_another_host() -> None:
    async def main(network: Network) -> None:
        for number in range(20):
            await add(network, f"https://slow.example/{number}", answers=14.0)
        good = "https://good.example/"
        await add(network, good, answers=0.5)
        await happens(*(f"first{number}" for number in range(30)), states=["pending"])
        await asyncio.sleep(60.0)  # the slow ones have earned as many attempts as they may have

        began = now()
        keys = [f"later{number}" for number in range(12)]
        await happens(*keys, states=["pending"])
        await asyncio.sleep(30.0)

        ends = max(network.arrived[good, f"{key}:1"] for key in keys)
        # One after the other, it would take 6 s.
        assert ends - began < 4.5

    play(main, shared=16)


def test_endpoint_that_starts_to_hang_releases_its_shared_slots() -> None:
    async def main(network: Network) -> None:
        url = "https://one.example/"
        await add(network, url, answers=ANSWER_SECONDS)
        await happens(*(f"before{number}" for number in range(10)), states=["pending"])
        await asyncio.sleep(5.0)
        del network.answers[url]

        await happens(*(f"after{number}" for number in range(30)), states=["pending"])
        await asyncio.sleep(10.0)
        assert network.busy[url] == 4
        await asyncio.sleep(10.0)  # the deadline of 15 to 18 s has passed
        network.most = 0
        await asyncio.sleep(40.0)

        assert network.most == 1

    play(main)


def test_every_endpoint_always_has_a_slot_of_its_own() -> None:
    async def main(network: Network) -> None:
        urls = [f"https://one.example/{number}" for number in range(8)]
        for url in urls:
            await add(network, url, answers=10.0)
        await happens(*(f"tx{number}" for number in range(40)), states=["pending"])
        await asyncio.sleep(45.0)

        assert all(network.busy[url] >= 1 for url in urls)
        # Each its own, and half of the shared ones, as they are all at one host.
        assert network.most == 8 + 2

    play(main, shared=4)


# -- The slots themselves


async def started(slots: SharedSlots, host: str) -> Pid:
    pid = process.spawn(asyncio.Event().wait)
    slots.take(pid, host)
    return pid


async def test_host_holds_at_most_as_many_shared_slots_as_are_free() -> None:
    slots = SharedSlots(8)
    taken = count()
    while slots.has_free("one"):
        await started(slots, "one")
        next(taken)

    assert next(taken) == 4
    assert slots.has_free("two")


async def test_hosts_together_hold_at_most_all_shared_slots() -> None:
    slots = SharedSlots(8)
    held = []
    for host in ("one", "two", "three", "four", "five"):
        taken = 0
        while slots.has_free(host) and taken < 9:
            await started(slots, host)
            taken += 1
        held.append(taken)

    assert held == [4, 2, 1, 1, 0]


async def test_slot_is_free_after_its_process_ended() -> None:
    slots = SharedSlots(2)
    pid = await started(slots, "one")
    assert not slots.has_free("one")

    process.exit(pid, "kill")
    await settle()

    assert slots.has_free("one")


def test_window_grows_with_responses_and_shrinks_with_a_failure() -> None:
    window = Window(limit=4)

    sizes = [window.size]
    for _ in range(3):
        window = window.answered()
        sizes.append(window.size)

    assert sizes == [1, 2, 4, 4]
    assert window.failed().size == 1
