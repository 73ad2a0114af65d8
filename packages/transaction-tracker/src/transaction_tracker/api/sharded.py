"""Registrations at a shard: those that belong to another shard are refused, with its number.

So the assignment of transactions to shards does not depend on who sends a request. A router whose
form of an id, such as a raw transaction, says nothing of its shard sends it to any, and then on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from transaction_tracker.api.registering import CheckedItem
from transaction_tracker.domain import Registration
from transaction_tracker.domain.sharding import Shard
from transaction_tracker.store import Store
from transaction_tracker.store.reading import load_local

WRONG_SHARD = "wrong-shard"


async def refuse_misplaced(
    items: Sequence[CheckedItem], pointers: Iterable[str], shard: Shard
) -> list[CheckedItem]:
    """Return the registrations; of another shard, with an error that names it.

    A transaction that is registered here stays here: the service has grown since.

    Args:
        items: The checked registrations.
        pointers: The JSON pointer of each, as a URI fragment.
        shard: The shard of this service.
    """
    misplaced = [
        item.registration
        for item in items
        if item.registration is not None and not shard.owns(item.registration.id)
    ]
    if not misplaced:
        return list(items)
    known = await _registered(misplaced)
    return [
        item
        if item.registration is None
        or shard.owns(item.registration.id)
        or (item.registration.source, item.registration.id) in known
        else _refused(item, item.registration, pointer, shard)
        for item, pointer in zip(items, pointers, strict=True)
    ]


def shard_of(error: Mapping[str, object]) -> int | None:
    """Return the shard that an error of a registration names, if it is the wrong shard."""
    number = error.get("shard")
    return number if isinstance(number, int) else None


def _refused(
    item: CheckedItem, registration: Registration, pointer: str, shard: Shard
) -> CheckedItem:
    owner = shard.map.newest(registration.id)
    fault = {
        "detail": f"this is shard {shard.number}; the transaction belongs to shard {owner}",
        "pointer": pointer,
        "shard": owner,
    }
    return replace(item, registration=None, errors=(fault,))


async def _registered(registrations: Iterable[Registration]) -> set[tuple[str, str]]:
    ids = defaultdict[str, list[str]](list)
    for registration in registrations:
        ids[registration.source].append(registration.id)
    return {
        (source, tracked.id)
        for source, wanted in ids.items()
        for tracked in await Store.run(partial(load_local, source=source, ids=wanted))
    }
