"""Figures over time: what a sample counts, and how long it is kept."""

from beamish import telemetry
from transaction_tracker.api.history import History
from transaction_tracker.metrics import Gauges, SourceGauges

from .support import Client, eventually, make_token, register, serving


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def emit(*event: str, facts: dict[str, object] | None = None, **numbers: float) -> None:
    telemetry.execute(("transaction_tracker", *event), numbers, facts or {})


def ticked(history: History, clock: Clock, seconds: float, gauges: Gauges) -> None:
    clock.now += seconds
    history.tick(gauges)


def test_sample_counts_the_events_of_its_interval() -> None:
    history = History(clock := Clock())
    counting = history.begin()
    history.tick(Gauges({"pending": 10, "confirmed": 5}))
    for seconds in (1.0, 3.0):
        emit("transaction", "detected", seconds=seconds)
        emit("transition", facts={"previous": "pending", "state": "mined"})
    emit("block", "applied", seconds=0.1, transactions=9, hits=2, requests=4)
    emit("webhook", "attempt", facts={"endpoint": "ep_1", "outcome": "delivered"}, seconds=0.5)
    emit("webhook", "attempt", facts={"endpoint": "ep_1", "outcome": "timeout"}, seconds=1.5)
    requested = {"provider": "a-1", "outcome": "ok"}
    emit("provider", "request", facts=requested, duration_seconds=0.2, calls=1)
    failed = {"provider": "a-1", "outcome": "server"}
    emit("provider", "request", facts=failed, duration_seconds=0.4, calls=1)
    ticked(history, clock, 5.0, Gauges({"pending": 12, "confirmed": 5}, outbox_pending=3))
    ticked(history, clock, 5.0, Gauges({"pending": 1}))
    history.end(counting)

    first, second = history.samples("10m")
    assert (first.open, first.registrations_per_minute, first.transitions_per_minute) == (
        12,
        24,
        24,
    )
    assert (first.detection_seconds, first.requests_per_block) == (2.0, 4)
    assert (first.delivered_per_minute, first.failed_per_minute) == (12, 12)
    assert (first.delivery_seconds, first.pending) == (1.0, 3)
    provider = first.providers["a-1"]
    assert round(provider.latency_seconds or 0, 6) == 0.3
    assert (provider.requests_per_minute, provider.errors_per_minute) == (24, 12)
    # Pruned transactions are not negative registrations.
    assert (second.registrations_per_minute, second.transitions_per_minute) == (0, 0)
    assert second.detection_seconds is None
    assert second.providers == {}


def test_day_has_a_sample_a_minute_and_ten_minutes_have_an_end() -> None:
    history = History(clock := Clock())
    for _ in range(12 * 11 + 1):
        ticked(history, clock, 5.0, Gauges())

    assert len(history.samples("10m")) == 120
    assert len(history.samples("1d")) == 11


def test_tick_that_is_a_little_early_ends_its_interval() -> None:
    history = History(clock := Clock())
    for _ in range(11):
        ticked(history, clock, 4.99, Gauges())

    assert len(history.samples("10m")) == 10


def test_sample_of_several_sources_shows_the_one_that_is_furthest_behind() -> None:
    history = History(clock := Clock())
    sources = {
        name: SourceGauges({}, head_lag_seconds=seconds, head_lag_blocks=blocks)
        for name, seconds, blocks in (("main", 1.0, 7), ("other", 90.0, 2), ("bank", None, None))
    }
    for _ in range(2):
        ticked(history, clock, 5.0, Gauges({}, sources=sources))

    (sample,) = history.samples("10m")
    assert (sample.head_age_seconds, sample.head_lag_blocks) == (90.0, 7)


def test_end_of_a_killed_process_does_not_stop_its_successor() -> None:
    history = History(clock := Clock())
    first = history.begin()
    second = history.begin()

    history.end(first)
    history.tick(Gauges())
    emit("transition", facts={"previous": "pending", "state": "mined"})
    ticked(history, clock, 5.0, Gauges())
    history.end(second)
    emit("transition", facts={"previous": "pending", "state": "mined"})
    ticked(history, clock, 5.0, Gauges())

    assert [sample.transitions_per_minute for sample in history.samples("10m")] == [12, 0]


def test_number_of_provider_names_is_limited() -> None:
    history = History(clock := Clock())
    counting = history.begin()
    history.tick(Gauges())
    for number in range(100):
        facts = {"provider": f"a-{number}", "outcome": "ok"}
        emit("provider", "request", facts=facts, duration_seconds=0.2, calls=1)
    ticked(history, clock, 5.0, Gauges())
    history.end(counting)

    (sample,) = history.samples("10m")
    assert len(sample.providers) == 65
    assert sample.providers["other"].requests_per_minute == 36 * 12


async def test_service_keeps_samples_while_it_runs(client: Client) -> None:
    await register(client, "abcdefgh")
    service = client.service
    # The process has ticked once at the start; this is the next one.
    await eventually(lambda: service.history._windows["10m"]._began is not None)
    service.history._windows["10m"]._began = 0.0
    service.history.tick(await service.gauges())

    found = (await client.get("/v1/history")).json
    day = (await client.get("/v1/history?span=1d")).json
    wrong = await client.get("/v1/history?span=1w")

    assert (found["every_seconds"], day["every_seconds"]) == (5.0, 60.0)
    assert found["samples"][-1]["open"] == 1
    assert wrong.status == 422


async def test_service_tells_the_scopes_of_a_token() -> None:
    async with serving() as client:
        reader = client.with_token(await make_token("read"))
        found = (await reader.get("/v1/service")).json

    assert found["scopes"] == ["read"]
    assert found["token"] in (reader.token or "")
    assert (found["database"], found["explorer_url"]) == ("sqlite", None)


async def test_service_without_tokens_allows_everything(client: Client) -> None:
    found = (await client.get("/v1/service")).json

    assert (found["token"], found["scopes"]) == (None, ["admin", "read", "write"])
