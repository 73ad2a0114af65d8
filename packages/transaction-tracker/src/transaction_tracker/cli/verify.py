"""``txtrack webhook verify``: whether a delivery is genuine, without a service."""

import hmac
import time
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import OK, TROUBLE, BadInputError
from transaction_tracker.cli.flags import Json
from transaction_tracker.cli.standard_input import STDIN, InputFile, opened

if TYPE_CHECKING:
    from transaction_tracker.store.endpoints import Secret

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
    """Check the signature of a delivery, as a receiver has to.

    It needs no service: give the body as it came, byte for byte, and the three headers.

    Exit status: 0 if the signature is right and the delivery is at most 5 minutes old; 1 if not; 2
    for bad input.

    Args:
        body: File with the body; - is standard input.
        id_: The header webhook-id.
        timestamp: The header webhook-timestamp.
        signature_: The header webhook-signature: v1,… and perhaps others, with spaces between.
        secret: The endpoint's secret, whsec_….
        as_json: Print one JSON document.
    """
    key = _secret(secret)
    right = is_signed(key, id_, timestamp, _read(body), signature_)
    age = time.time() - timestamp
    fresh = abs(age) <= TOLERANCE_SECONDS
    if as_json:
        output.write_document({"signature": right, "fresh": fresh, "age": round(age, 1)})
    else:
        output.say(_verdict(right, fresh, age))
    return OK if right and fresh else TROUBLE


def is_signed(secret: "Secret", identity: str, timestamp: int, body: bytes, given: str) -> bool:
    """Say whether one of the signatures given is that of this delivery."""
    # Imported where it is used, as is Secret: `txtrack webhook ls` is a client of the service, and
    # loads neither the outbox nor the database.
    from transaction_tracker.outbox import signature

    try:
        right = signature.headers([secret], identity, timestamp, body)["webhook-signature"]
    except (OverflowError, OSError, ValueError):  # a time or a text that is none
        return False
    return any(hmac.compare_digest(right.encode(), one.encode()) for one in given.split())


def _verdict(right: bool, fresh: bool, age: float) -> str:
    if not right:
        return (
            "WRONG: no signature fits. Is it this endpoint's secret, and the body byte for byte as "
            "it came, before anything parsed it?"
        )
    if not fresh:
        return f"RIGHT, but sent {age:.0f} s ago by this machine's clock: a receiver refuses that"
    return f"RIGHT: signed with this secret, {age:.0f} s ago"


def _secret(text: str) -> "Secret":
    from transaction_tracker.store.endpoints import Secret

    try:
        return Secret(text)
    except ValueError as error:
        raise BadInputError(f"--secret: {error}") from None


def _read(body: str) -> bytes:
    with opened(body) as file:
        data = file.read(MAX_BODY_BYTES + 1)
    if len(data) > MAX_BODY_BYTES:
        raise BadInputError("the body is larger than 1 MiB: no delivery is")
    return data
