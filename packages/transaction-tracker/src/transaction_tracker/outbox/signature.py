"""Signatures of webhooks: how receivers know that a message is ours, and is new."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from transaction_tracker.domain import TrackerError
from transaction_tracker.store.endpoints import Secret


class SignatureError(TrackerError):
    """The message is not signed with this secret, was changed, or is too old."""


def headers(secrets: Sequence[Secret], message: str, now: float, body: bytes) -> dict[str, str]:
    """Sign a message with all secrets that count now.

    Args:
        secrets: The newest first.
        message: Its name, the same at each attempt.
        now: Unix seconds.
        body: What is sent.

    Source:
        Standard Webhooks 1.0, "Webhook headers" and "Signature scheme".
    """
    moment = datetime.fromtimestamp(math.floor(now), UTC)
    text = body.decode()
    signatures = [Webhook(one.reveal()).sign(message, moment, text) for one in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message,
        "webhook-timestamp": str(math.floor(now)),
        "webhook-signature": " ".join(signatures),
    }


def verify(secret: str | Secret, headers: Mapping[str, str], body: bytes | str) -> Any:
    """Check a webhook that was received, and give what it says.

    Args:
        secret: The endpoint's.
        headers: As they came, in any case.
        body: As it came, before anything read it.

    Returns:
        The message: ``type``, ``timestamp``, ``data``.

    Raises:
        ValueError: The secret is none.
        SignatureError: The message is not to be believed.

    Source:
        Standard Webhooks 1.0, "Verifying webhook authenticity": within 5 minutes.
    """
    key = secret if isinstance(secret, Secret) else Secret(secret)
    try:
        return Webhook(key.reveal()).verify(body, dict(headers))
    except WebhookVerificationError as error:
        raise SignatureError(f"the message is not to be believed: {error}") from None
    except ValueError:  # headers, base64 or JSON that is none
        raise SignatureError("the message is not to be believed: it is malformed") from None
