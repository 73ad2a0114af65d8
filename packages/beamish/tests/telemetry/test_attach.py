"""``telemetry``: attaching, detaching, executing, and handlers that raise.

Source: https://hexdocs.pm/telemetry/telemetry.html
"""

import logging

import pytest

from beamish import GenServer, call, telemetry

SOLD = ("shop", "sold")
BOUGHT = ("shop", "bought")


class Echo(GenServer):
    @call
    def echo(self, value: int) -> int:
        return value


def test_handler_gets_event_measurements_and_metadata() -> None:
    got = []
    telemetry.attach("a", SOLD, lambda *facts: got.append(facts))

    telemetry.execute(SOLD, {"count": 2}, {"what": "tea"})
    telemetry.execute(BOUGHT, {"count": 1}, {})

    assert telemetry.detach("a")
    assert got == [(SOLD, {"count": 2}, {"what": "tea"})]


def test_one_handler_of_many_events_is_detached_at_once() -> None:
    """``attach_many/4``."""
    got = []
    telemetry.attach_many("a", [SOLD, BOUGHT], lambda event, *_: got.append(event))

    for event in (SOLD, BOUGHT):
        telemetry.execute(event, {}, {})
    telemetry.detach("a")
    telemetry.execute(SOLD, {}, {})

    assert got == [SOLD, BOUGHT]


def test_event_named_twice_is_handled_once() -> None:
    got = []
    telemetry.attach_many("a", [SOLD, SOLD], lambda event, *_: got.append(event))

    telemetry.execute(SOLD, {}, {})

    telemetry.detach("a")
    assert got == [SOLD]


def test_handlers_are_called_in_the_order_in_which_they_were_attached() -> None:
    got = []
    for number in range(3):
        telemetry.attach(number, SOLD, lambda *_, number=number: got.append(number))

    telemetry.execute(SOLD, {}, {})

    assert [telemetry.detach(number) for number in range(3)] == [True] * 3
    assert got == [0, 1, 2]


def test_detaching_what_is_not_attached_says_so() -> None:
    assert telemetry.detach("nobody") is False


def test_enabled_tells_whether_anything_is_attached() -> None:
    assert telemetry.enabled is False

    telemetry.attach("a", SOLD, lambda *_: None)
    telemetry.carry("b", lambda: None, lambda _: None)
    assert telemetry.enabled is True
    telemetry.detach("a")
    assert telemetry.enabled is True
    telemetry.detach("b")

    assert telemetry.enabled is False


def test_handler_that_raises_is_detached_with_a_line_in_the_log(caplog) -> None:
    got = []

    def fail(*_: object) -> None:
        raise ValueError("in the handler")

    telemetry.attach("failing", SOLD, fail)
    telemetry.attach("sound", SOLD, lambda *_: got.append("sold"))

    telemetry.execute(SOLD, {}, {})
    telemetry.execute(SOLD, {}, {})

    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "'failing'" in caplog.records[0].getMessage()
    assert "in the handler" in caplog.text
    assert got == ["sold", "sold"]
    assert telemetry.detach("failing") is False
    telemetry.detach("sound")


async def test_handler_that_raises_harms_no_server(caplog) -> None:
    def fail(*_: object) -> None:
        raise ValueError("in the handler")

    telemetry.attach_many("failing", telemetry.EVENTS, fail)

    pid = await Echo.start()

    assert await Echo.echo(pid, 1) == 1
    await GenServer.stop(pid)
    assert len(caplog.records) == 1
    assert telemetry.enabled is False


def test_handler_may_detach_itself_and_attach_others() -> None:
    got = []

    def once(*_: object) -> None:
        got.append("once")
        telemetry.detach("once")
        telemetry.attach("next", SOLD, lambda *_: got.append("next"))

    telemetry.attach("once", SOLD, once)
    telemetry.execute(SOLD, {}, {})
    telemetry.execute(SOLD, {}, {})

    telemetry.detach("next")
    assert got == ["once", "next"]


@pytest.mark.parametrize("event", ["shop", (), ("shop", 1), ["shop"], None])
def test_event_that_is_none_is_refused(event: object) -> None:
    with pytest.raises(TypeError, match="tuple of strings; got"):
        telemetry.attach("a", event, print)
    with pytest.raises(TypeError, match="tuple of strings; got"):
        telemetry.attach_many("a", [SOLD, event], print)


@pytest.mark.parametrize("events", ["shop", [], ()])
def test_events_that_are_none_are_refused(events: object) -> None:
    with pytest.raises((TypeError, ValueError), match="events must"):
        telemetry.attach_many("a", events, print)


def test_handler_that_cannot_be_called_is_refused() -> None:
    with pytest.raises(TypeError, match=r"function of three arguments; got 'print'"):
        telemetry.attach("a", SOLD, "print")
    with pytest.raises(TypeError, match=r"capture must be a function; got None"):
        telemetry.carry("a", None, print)


def test_id_that_is_taken_is_refused() -> None:
    telemetry.attach("a", SOLD, lambda *_: None)
    telemetry.carry("a", lambda: None, lambda _: None)

    with pytest.raises(ValueError, match="'a' is already attached"):
        telemetry.attach("a", BOUGHT, print)
    with pytest.raises(ValueError, match="'a' is already attached"):
        telemetry.carry("a", print, print)

    assert telemetry.detach("a")


def test_span_tells_of_its_start_and_its_end() -> None:
    """``span/3``."""
    got = []
    events = [(*SOLD, how) for how in ("start", "stop", "exception")]
    telemetry.attach_many("a", events, lambda *facts: got.append(facts))

    with telemetry.span(SOLD, {"what": "tea"}) as metadata:
        metadata["cups"] = 2

    telemetry.detach("a")
    (start, began, _), (stop, took, facts) = got
    assert (start, stop) == (events[0], events[1])
    assert began["system_time_seconds"] > 1e9
    assert 0 <= took["duration_seconds"] < 10
    assert facts["what"] == "tea"
    assert facts["cups"] == 2


def test_span_that_raises_tells_of_the_exception() -> None:
    got = []
    telemetry.attach("a", (*SOLD, "exception"), lambda *facts: got.append(facts))
    error = ValueError("no tea")

    with pytest.raises(ValueError, match="no tea"), telemetry.span(SOLD):
        raise error

    telemetry.detach("a")
    ((_, took, facts),) = got
    assert facts["error"] is error
    assert took["duration_seconds"] >= 0


def test_spans_are_told_apart() -> None:
    got = []
    events = [(*SOLD, how) for how in ("start", "stop")]
    telemetry.attach_many("a", events, lambda _e, _m, facts: got.append(facts["span"]))

    with telemetry.span(SOLD), telemetry.span(SOLD):
        pass

    telemetry.detach("a")
    outer, inner, inner_again, outer_again = got
    assert outer is outer_again
    assert inner is inner_again
    assert outer is not inner


@pytest.mark.parametrize(
    ("event", "observes"),
    [
        (("beamish", "call", "stop"), True),
        (("beamish", "callback", "exception"), True),
        (("beamish", "process", "exit"), False),
        (("shop", "call", "stop"), False),
    ],
)
def test_calls_are_observed_for_those_who_are_told_of_them(
    event: tuple[str, ...], observes: bool
) -> None:
    telemetry.attach("a", event, lambda *_: None)

    assert telemetry.observes is observes
    telemetry.detach("a")
    assert telemetry.observes is False


def test_calls_are_observed_while_something_of_the_sender_follows() -> None:
    telemetry.carry("a", lambda: None, lambda _: None)

    assert telemetry.observes is True
    telemetry.detach("a")
    assert telemetry.observes is False
