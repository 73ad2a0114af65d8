"""Secrets and signatures, beside the reference library."""

import base64
import json
import random
import time
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from transaction_tracker.outbox import signature
from transaction_tracker.outbox.endpoints import SignatureError, verify
from transaction_tracker.store.endpoints import Endpoint, Secret

BODY = b'{"type":"transaction.mined"}'


def text(size: int) -> str:
    return "whsec_" + base64.b64encode(random.Random(size).randbytes(size)).decode()


@pytest.mark.parametrize("size", [24, 32, 64])
def test_the_reference_library_believes_what_we_sign(size: int) -> None:
    secret = Secret(text(size))

    headers = signature.headers([secret], "tx:1", time.time(), BODY)

    assert Webhook(secret.reveal()).verify(BODY, headers) == json.loads(BODY)


def test_we_believe_what_the_reference_library_signs() -> None:
    from datetime import UTC, datetime

    secret = text(32)
    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", now, BODY.decode()),
    }

    assert verify(secret, headers, BODY) == {"type": "transaction.mined"}


def test_with_two_secrets_there_are_two_signatures_and_either_will_do() -> None:
    new, old = Secret.generate(), Secret.generate()

    headers = signature.headers([new, old], "tx:1", time.time(), BODY)

    first, second = headers["webhook-signature"].split(" ")
    assert first.startswith("v1,")
    assert second.startswith("v1,")
    assert verify(new, headers, BODY) == verify(old, headers, BODY)


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "tx:2"},
        {"webhook-timestamp": "1"},
        {"webhook-timestamp": "soon"},
        {"webhook-signature": "v1,AAAA"},
        {"webhook-signature": "nonsense"},
        {"webhook-signature": "v1,ä"},
        {"webhook-signature": ""},
    ],
)
def test_what_was_changed_is_not_believed(change: dict[str, str]) -> None:
    secret = Secret.generate()
    headers = signature.headers([secret], "tx:1", time.time(), BODY) | change

    with pytest.raises(SignatureError, match="not to be believed"):
        verify(secret, headers, BODY)


@pytest.mark.parametrize("body", [BODY + b" ", b"\xff", b""])
def test_another_body_is_not_believed(body: bytes) -> None:
    secret = Secret.generate()
    headers = signature.headers([secret], "tx:1", time.time(), BODY)

    with pytest.raises(SignatureError):
        verify(secret, headers, body)


def test_an_old_message_is_not_believed() -> None:
    secret = Secret.generate()
    headers = signature.headers([secret], "tx:1", time.time() - 400, BODY)

    with pytest.raises(SignatureError, match="too old"):
        verify(secret, headers, BODY)


@pytest.mark.parametrize(
    "wrong", ["", "whsec_", "secret", text(23), text(65), "whsec_!!!!", text(32)[6:], None, 7]
)
def test_what_is_no_secret_is_refused_and_not_repeated(wrong: object) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        Secret(wrong)  # type: ignore[arg-type]

    assert len(str(wrong)) < 7 or str(wrong) not in str(caught.value)


def test_a_secret_never_prints() -> None:
    secret = Secret.generate()
    endpoint = Endpoint("ep_1", "https://example.com/key", None, secret, 0.0, previous=secret)
    key = secret.reveal().removeprefix("whsec_")

    for shown in (repr(secret), str(secret), f"{secret}", repr(endpoint), str(asdict(endpoint))):
        assert key not in shown
    assert "/key" not in repr(endpoint)
    with pytest.raises(TypeError):
        json.dumps(secret)


@given(st.binary(max_size=80))
def test_only_texts_of_the_right_size_are_secrets(raw: bytes) -> None:
    candidate = "whsec_" + base64.b64encode(raw).decode()

    if 24 <= len(raw) <= 64:
        assert Secret(candidate).reveal() == candidate
    else:
        with pytest.raises(ValueError):
            Secret(candidate)


def test_the_reference_library_is_not_fooled_either() -> None:
    headers = signature.headers([Secret.generate()], "tx:1", time.time(), BODY)

    with pytest.raises(WebhookVerificationError):
        Webhook(Secret.generate().reveal()).verify(BODY, headers)
