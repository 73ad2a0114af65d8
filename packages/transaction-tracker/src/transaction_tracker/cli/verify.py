"""``txtrack webhook verify``: check the signature of a webhook, without a service."""

import hmac
import time
from typing import Annotated

from cyclopts import Parameter

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import OK, TROUBLE, BadInputError
from transaction_tracker.cli.flags import STDIN, InputFile, Json, opened
from transaction_tracker.domain.webhook_endpoint import WebhookSecret

# Source: Standard Webhooks 1.0, "Verifying timestamps": some minutes.
TOLERANCE_SECONDS = 300.0
MAX_BODY_BYTES = 2**20


def verify(
    body: InputFile = STDIN,
    /,
    *,
    id_: Annotated[str, Parameter(name="--id")],
    timestamp: int,
    signature_: Annotated[str, Parameter(name="--signature")],
    secret: Annotated[str, Parameter(env_var="TXTRACK_WEBHOOK_SECRET", show_default=False)],
    as_json: Json = False,
) -> int:
    """Check the signature of a webhook, as a receiver must.

    Needs the unchanged bytes of the body and the three webhook headers, but no service.

    Exit status: 0 if the signature is valid and at most 5 minutes old; 1 if not; 2 for bad input.

    Args:
        body: File with the body; - is standard input.
        id_: Header webhook-id.
        timestamp: Header webhook-timestamp.
        signature_: Header webhook-signature: one or more signatures (v1,…), separated by spaces.
        secret: Secret of the endpoint, whsec_….
        as_json: Print one JSON document.
    """
    key = _secret(secret)
    valid = is_signed(key, id_, timestamp, _read(body), signature_)
    age = time.time() - timestamp
    fresh = abs(age) <= TOLERANCE_SECONDS
    if as_json:
        output.write_document({"signature": valid, "fresh": fresh, "age": round(age, 1)})
    else:
        output.say(_verdict(valid, fresh, age))
    return OK if valid and fresh else TROUBLE


def is_signed(
    secret: WebhookSecret, identity: str, timestamp: int, body: bytes, signatures: str
) -> bool:
    """Return whether one of the signatures is valid for this webhook."""
    # Imported here: `txtrack webhook ls` is a client of the service, and starts
    # faster without the delivery of webhooks and the database.
    from transaction_tracker.delivery import signature

    try:
        expected = signature.headers([secret], identity, timestamp, body)["webhook-signature"]
    except (OverflowError, OSError, ValueError):  # an invalid timestamp or id
        return False
    return any(
        hmac.compare_digest(expected.encode(), candidate.encode())
        for candidate in signatures.split()
    )


def _verdict(valid: bool, fresh: bool, age: float) -> str:
    if not valid:
        return (
            "INVALID: no signature matches. Check that the secret is this endpoint's, and that the "
            "body has the bytes that were received, before any parsing"
        )
    if not fresh:
        return f"VALID, but sent {age:.0f} s ago by this machine's clock: receivers refuse it"
    return f"VALID: signed with this secret {age:.0f} s ago"


def _secret(text: str) -> WebhookSecret:
    try:
        return WebhookSecret(text)
    except ValueError as error:
        raise BadInputError(f"--secret: {error}") from None


def _read(body: str) -> bytes:
    with opened(body) as file:
        data = file.read(MAX_BODY_BYTES + 1)
    if len(data) > MAX_BODY_BYTES:
        raise BadInputError("the body must be at most 1 MiB, which no webhook exceeds")
    return data
