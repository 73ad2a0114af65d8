"""Sign and verify webhooks by Standard Webhooks 1.0."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from transaction_tracker.domain import TrackerError
from transaction_tracker.domain.webhook_endpoint import WebhookSecret


class SignatureError(TrackerError):
    """The signature does not match, or the message is malformed or outside the time limit."""


def headers(
    secrets: Sequence[WebhookSecret], message_id: str, now: float, body: bytes
) -> dict[str, str]:
    """Return the headers that sign a message with each of the secrets.

    Args:
        secrets: Valid secrets, the newest first.
        message_id: The ``webhook-id``, the same at each attempt.
        now: Unix seconds.
        body: The message.

    Source:
        Standard Webhooks 1.0, "Webhook headers" and "Signature scheme".
    """
    moment = datetime.fromtimestamp(math.floor(now), UTC)
    text = body.decode()
    signatures = [Webhook(secret.reveal()).sign(message_id, moment, text) for secret in secrets]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(math.floor(now)),
        "webhook-signature": " ".join(signatures),
    }


def verify(secret: str | WebhookSecret, headers: Mapping[str, str], body: bytes | str) -> Any:
    """Verify a received webhook and return its message.

    Args:
        secret: Secret of the endpoint.
        headers: Headers of the request; names are not case-sensitive.
        body: Raw body of the request, before it is parsed.

    Returns:
        The message: ``type``, ``timestamp``, ``data``.

    Raises:
        ValueError: The secret is invalid.
        SignatureError: The signature does not match, or the message is malformed or more than
            5 minutes from now.

    Source:
        Standard Webhooks 1.0, "Verifying webhook authenticity".
    """
    key = secret if isinstance(secret, WebhookSecret) else WebhookSecret(secret)
    try:
        return Webhook(key.reveal()).verify(body, dict(headers))
    except WebhookVerificationError as error:
        raise SignatureError(f"webhook verification failed: {error}") from None
    except ValueError:  # invalid headers, base64 or JSON
        raise SignatureError("webhook verification failed: the message is malformed") from None
