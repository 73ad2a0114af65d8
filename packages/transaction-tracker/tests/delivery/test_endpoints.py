"""Managing endpoints, with valid and invalid arguments, without exposing secrets."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from beamish import GenServer, Pid, debug, process
from transaction_tracker.delivery import DeliveryContext, endpoints, wake
from transaction_tracker.delivery.context import WORKERS, via
from transaction_tracker.delivery.endpoints import UnknownEndpointError
from transaction_tracker.domain import TrackerError
from transaction_tracker.net import ForbiddenUrlError

from .receiver import Receiver
from .support import eventually, happens

URL = "http://127.0.0.1:9/hook"


async def test_added_endpoint_is_listed(outbox: DeliveryContext) -> None:
    first = await endpoints.add(URL)
    second = await endpoints.add(URL, states=["failed", "confirmed", "failed"])

    assert await endpoints.list_all() == [first, second]
    assert await endpoints.get(second.id) == second
    assert (first.states, second.states) == (None, ("confirmed", "failed"))
    assert first.secret != second.secret
    assert first.enabled


async def test_given_secret_is_used(outbox: DeliveryContext) -> None:
    secret = endpoints.WebhookSecret.generate()

    endpoint = await endpoints.add(URL, secret=secret.reveal())

    assert endpoint.secret == secret


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"url": "http://example.com/"}, "https"),
        ({"url": "https://10.0.0.1/"}, "private"),
        ({"url": "nonsense"}, "must look like"),
        ({"url": URL, "secret": "whsec_short"}, "24 to 64 bytes"),
        ({"url": URL, "states": []}, "must be some of"),
        ({"url": URL, "states": ["mined", "eaten"]}, "'eaten'"),
        ({"url": URL, "states": "mined"}, "must be some of"),
    ],
)
async def test_invalid_endpoint_is_refused_and_not_stored(
    outbox: DeliveryContext, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        await endpoints.add(**arguments)

    assert await endpoints.list_all() == []


async def test_error_does_not_repeat_a_refused_url(outbox: DeliveryContext) -> None:
    with pytest.raises(ForbiddenUrlError) as caught:
        await endpoints.add("http://user:hunter2@example.com/hunter2")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: endpoints.get("ep_other"),
        lambda: endpoints.change("ep_other", url=URL, states=None),
        lambda: endpoints.enable("ep_other"),
        lambda: endpoints.disable("ep_other"),
        lambda: endpoints.remove("ep_other"),
        lambda: endpoints.rotate("ep_other"),
        lambda: endpoints.test("ep_other"),
        lambda: endpoints.redeliver("ep_other"),
        lambda: endpoints.dead_letters("ep_other"),
    ],
)
async def test_unknown_endpoint_error_names_the_endpoint(
    outbox: DeliveryContext, ask: Callable[[], Coroutine[Any, Any, Any]]
) -> None:
    with pytest.raises(UnknownEndpointError, match="ep_other") as caught:
        await ask()

    assert isinstance(caught.value, TrackerError | LookupError)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda key: endpoints.redeliver(key, position=1, since=1), "got both"),
        (lambda key: endpoints.redeliver(key, position=0), "position must be 1 or more"),
        (lambda key: endpoints.redeliver(key, since=-1), "since must be 0 or more"),
        (lambda key: endpoints.rotate(key, overlap=-1), "overlap must be"),
        (lambda key: endpoints.rotate(key, overlap=float("nan")), "overlap must be"),
        (lambda key: endpoints.rotate(key, secret="whsec_"), "24 to 64 bytes"),
        (lambda key: endpoints.dead_letters(key, limit=0), "limit must be"),
        (lambda key: endpoints.dead_letters(key, limit=1_001), "limit must be"),
        (lambda key: endpoints.disable(key, "x" * 201), "at most 200"),
        (lambda key: endpoints.change(key, url="https://localhost/", states=None), "localhost"),
    ],
)
async def test_invalid_arguments_are_refused(
    outbox: DeliveryContext, ask: Callable[[str], Coroutine[Any, Any, Any]], words: str
) -> None:
    endpoint = await endpoints.add(URL)

    with pytest.raises(ValueError, match=words):
        await ask(endpoint.id)

    assert await endpoints.get(endpoint.id) == endpoint


async def test_pending_deliveries_go_to_the_changed_url(
    outbox: DeliveryContext, receiver: Receiver
) -> None:
    endpoint = await endpoints.add(URL)
    await endpoints.disable(endpoint.id, "moving")
    assert (await endpoints.get(endpoint.id)).disabled_reason == "moving"
    await endpoints.enable(endpoint.id)
    await happens("tx", states=["pending"])

    await endpoints.change(endpoint.id, url=receiver.url, states=["confirmed"])
    await endpoints.redeliver(endpoint.id, position=1)

    await eventually(lambda: receiver.accepted == ["tx:1"])


async def test_secrets_are_not_in_logs_states_or_reports(
    outbox: DeliveryContext, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.script = lambda _: 500
    endpoint = await endpoints.add(f"{receiver.url}/path-that-is-a-key")
    rotated = await endpoints.rotate(endpoint.id)
    await happens("tx")
    await eventually(lambda: receiver.received)
    pid = GenServer.whereis(via(endpoint.id))
    assert pid is not None

    state = repr(await debug.get_state(pid)) + repr(await debug.get_status(pid))
    everyone = repr([process.info(each) for each in process.processes()])
    supervisor = repr(await debug.get_state(WORKERS))
    result = await endpoints.test(endpoint.id)
    await crash(pid)

    assert result.status == 500
    assert "DeliveryWorker" in caplog.text
    shown = "".join((state, everyone, supervisor, caplog.text, repr(result)))
    for secret in (endpoint.secret, rotated.secret):
        assert secret.reveal().removeprefix("whsec_") not in shown
    assert "path-that-is-a-key" not in shown


async def crash(pid: Pid) -> None:
    """Crash a worker, whose report contains its state and its last message."""
    await debug.replace_state(pid, lambda state: state | {"_breaker": None})
    wake()
    await eventually(lambda: not process.is_alive(pid))
