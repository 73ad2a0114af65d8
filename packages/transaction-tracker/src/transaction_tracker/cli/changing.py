"""``txtrack change``."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any

from cyclopts import Parameter

from transaction_tracker.cli import transaction_text, transactions
from transaction_tracker.cli.exits import BadInputError
from transaction_tracker.cli.flags import (
    CONFIGURED,
    NOTHING_EXPECTED,
    ExpectFlags,
    ServiceFlags,
    number_or_tag,
    seconds,
)

_Removes = Annotated[bool, Parameter(negative=(), show_default=False)]


async def change(
    transaction: str,
    /,
    *,
    confirmations: str | None = None,
    expires_in: str | None = None,
    no_deadline: _Removes = False,
    metadata: str | None = None,
    expect: ExpectFlags = NOTHING_EXPECTED,
    no_expectation: _Removes = False,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """Change what is required of a transaction that has not ended.

    Options that are not given stay as they are. Events that were reported stay as they are, too.

    Exit status: 0; 1 if it is not tracked or has ended, 2 for bad input, 6 if no service responds.

    Args:
        transaction: Id of the transaction; on a chain, its hash.
        confirmations: Blocks that make a state final, or "safe" or "finalized".
        expires_in: Time from now such as 30m or 1d after which a transaction that is in no block
            expires.
        no_deadline: Remove the deadline.
        metadata: JSON object of up to 4 KiB that each event contains, in place of the previous one.
        no_expectation: Remove the expectation.
    """
    body: dict[str, Any] = {}
    if confirmations is not None:
        body["confirmations"] = number_or_tag(confirmations)
    if expires_in is not None:
        end = time.time() + seconds("--expires-in", expires_in)
        body["deadline"] = _rfc3339(end)
    if no_deadline:
        _only_one("--no-deadline", "--expires-in", "deadline" in body)
        body["deadline"] = None
    if metadata is not None:
        body["metadata"] = transactions.metadata_object(metadata)
    body |= expect.field()
    if no_expectation:
        _only_one("--no-expectation", "--expect-…", "expect" in body)
        body["expect"] = None
    if not body:
        raise BadInputError("give what to change, such as --confirmations 20")
    async with service.api() as api:
        changed = await api.patch(transactions.path_of(transaction), body)
    transaction_text.show([changed], as_json=service.as_json)


def _only_one(flag: str, other: str, is_given: bool) -> None:
    if is_given:
        raise BadInputError(f"give {flag} or {other}, not both")


def _rfc3339(time_: float) -> str:
    try:
        return datetime.fromtimestamp(time_, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        raise BadInputError("--expires-in must end before the year 9999") from None
