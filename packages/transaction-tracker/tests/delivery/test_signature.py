"""Secrets and signatures, compared with the reference library."""

import base64
import json
import random
import time
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from transaction_tracker.delivery import signature
from transaction_tracker.delivery.endpoints import SignatureError, verify
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret

BODY = b'{"type":"transaction.mined"}'


def text(size: int) -> str:
    return "whsec_" + base64.b64encode(random.Random(size).randbytes(size)).decode()


@pytest.mark.parametrize("size", [24, 32, 64])
def test_reference_library_verifies_our_signature(size: int) -> None:
    secret = WebhookSecret(text(size))

    headers = signature.headers([secret], "tx:1", time.time(), BODY)

    assert Webhook(secret.reveal()).verify(BODY, headers) == json.loads(BODY)


def test_verify_accepts_a_signature_of_the_reference_library() -> None:
    from datetime import UTC, datetime

    secret = text(32)
    now = datetime.now(UTC)
    headers = {
        "Webhook-Id": "msg_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("msg_1", now, BODY.decode()),
    }

    assert verify(secret, headers, BODY) == {"type": "transaction.mined"}


def test_two_secrets_give_two_valid_signatures() -> None:
    new, old = WebhookSecret.generate(), WebhookSecret.generate()

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
def test_changed_headers_fail_verification(change: dict[str, str]) -> None:
    secret = WebhookSecret.generate()
    headers = signature.headers([secret], "tx:1", time.time(), BODY) | change

    with pytest.raises(SignatureError, match="verification failed"):
        verify(secret, headers, BODY)


@pytest.mark.parametrize("body", [BODY + b" ", b"\xff", b""])
def test_changed_body_fails_verification(body: bytes) -> None:
    secret = WebhookSecret.generate()
    headers = signature.headers([secret], "tx:1", time.time(), BODY)

    with pytest.raises(SignatureError):
        verify(secret, headers, body)


def test_old_message_fails_verification() -> None:
    secret = WebhookSecret.generate()
    headers = signature.headers([secret], "tx:1", time.time() - 400, BODY)

    with pytest.raises(SignatureError, match="too old"):
        verify(secret, headers, BODY)


@pytest.mark.parametrize(
    "wrong", ["", "whsec_", "secret", text(23), text(65), "whsec_!!!!", text(32)[6:], None, 7]
)
def test_invalid_secret_is_refused_and_not_repeated(wrong: object) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        WebhookSecret(wrong)  # type: ignore[arg-type]

    assert len(str(wrong)) < 7 or str(wrong) not in str(caught.value)


def test_repr_does_not_show_the_secret() -> None:
    secret = WebhookSecret.generate()
    endpoint = WebhookEndpoint(
        "ep_1", "https://example.com/key", None, secret, 0.0, previous=secret
    )
    key = secret.reveal().removeprefix("whsec_")

    for shown in (repr(secret), str(secret), f"{secret}", repr(endpoint), str(asdict(endpoint))):
        assert key not in shown
    assert "/key" not in repr(endpoint)
    with pytest.raises(TypeError):
        json.dumps(secret)


@given(st.binary(max_size=80))
def test_secret_must_have_a_valid_size(raw: bytes) -> None:
    candidate = "whsec_" + base64.b64encode(raw).decode()

    if 24 <= len(raw) <= 64:
        assert WebhookSecret(candidate).reveal() == candidate
    else:
        with pytest.raises(ValueError):
            WebhookSecret(candidate)


def test_reference_library_refuses_a_wrong_signature() -> None:
    headers = signature.headers([WebhookSecret.generate()], "tx:1", time.time(), BODY)

    with pytest.raises(WebhookVerificationError):
        Webhook(WebhookSecret.generate().reveal()).verify(BODY, headers)
