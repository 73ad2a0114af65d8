"""Find the source and the stored transaction that an id means."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from transaction_tracker.domain import (
    MAX_ID_CHARACTERS,
    AmbiguousIdError,
    InvalidTransactionError,
    NotTrackedError,
    Tracked,
    Transaction,
    caip_id,
    chain_of,
    split_caip_id,
)
from transaction_tracker.store import Store
from transaction_tracker.store.reading import load_local, load_some
from transaction_tracker.tracker.context import TrackerContext


@dataclass(frozen=True, slots=True)
class Place:
    """The source of a transaction, and its id there.

    Attributes:
        context: The source.
        id: Id at the source.
        given: The id as the user gave it, if it has the chain id; otherwise ``None``.
    """

    context: TrackerContext
    id: str
    given: str | None = None

    @property
    def caip_id(self) -> str:
        """The id with the chain id of the source."""
        return caip_id(self.context.source.name, self.id)


def places(text: str, contexts: Sequence[TrackerContext] | None = None) -> Sequence[Place]:
    """Return the places that an id can mean, one of each source with such ids.

    Args:
        text: The id, with or without a chain id.
        contexts: The sources. Default: those of the running application.

    Raises:
        InvalidTransactionError: No source has such ids, or follows the chain of its chain id.
        NoProcessError: The application is not running.
    """
    contexts = TrackerContext.all() if contexts is None else contexts
    if isinstance(text, str) and ":" in text:
        for context in contexts:
            if text.startswith(f"{chain_of(context.source.name)}:"):
                local = context.identify(text)
                return [Place(context, local, caip_id(context.source.name, local))]
        # A service over HTTP whose ids can have colons must not get a transaction of a chain.
        unknown = _unknown_chain(text, contexts)
        if unknown is not None and contexts[0].label is not None:
            raise unknown
    found, errors = _fitting(contexts, lambda context: context.source.identify(text))
    if found:
        return found
    raise _unknown_chain(text, contexts) or _unfit(errors)


def place_of(
    text: str,
    registered: Mapping[str, Place] | None = None,
    contexts: Sequence[TrackerContext] | None = None,
) -> Place:
    """Return the only place that an id can mean.

    Args:
        text: The id, with or without a chain id.
        registered: Result of ``registered_places``.
        contexts: The sources. Default: those of the running application.

    Raises:
        InvalidTransactionError: No source has such ids, or follows the chain of its chain id.
        AmbiguousIdError: Several sources have such ids.
        NoProcessError: The application is not running.
    """
    return _storable(_only(text, places(text, contexts), registered))


def place_of_slot(
    sender: str,
    nonce: int,
    registered: Mapping[str, Place] | None = None,
    contexts: Sequence[TrackerContext] | None = None,
) -> Place:
    """Return the only place of whichever transaction of a sender has a nonce.

    Args:
        sender: Address of the sender.
        nonce: The nonce.
        registered: Result of ``registered_places``.
        contexts: The sources. Default: those of the running application.

    Raises:
        InvalidTransactionError: A part is invalid, or no source has senders with nonces.
        AmbiguousIdError: Several sources have them: register the id with the chain id.
        NoProcessError: The application is not running.
    """
    contexts = TrackerContext.all() if contexts is None else contexts
    found, errors = _fitting(contexts, lambda context: context.slot_id(sender, nonce))
    if not found:
        raise _unfit(errors)
    return _only(found[0].id, found, registered)


def place_of_raw(
    raw: str, contexts: Sequence[TrackerContext] | None = None
) -> tuple[Place, Transaction]:
    """Return the only place of a raw signed transaction, and the transaction.

    Args:
        raw: The bytes in hexadecimal.
        contexts: The sources. Default: those of the running application.

    Raises:
        InvalidTransactionError: It is invalid, or signed for the chain of no source.
        AmbiguousIdError: It is valid on every chain, and several sources follow one.
        NoProcessError: The application is not running.
    """
    contexts = TrackerContext.all() if contexts is None else contexts
    known: dict[str, Transaction] = {}

    def identify(context: TrackerContext) -> str:
        transaction = context.signed(raw)
        known[transaction.id] = transaction
        return transaction.id

    found, errors = _fitting(contexts, identify)
    if not found:
        raise _unfit(errors, "transaction")
    place = _only(found[0].id, found)
    return place, known[place.id]


async def registered_places(
    texts: Iterable[str], contexts: Sequence[TrackerContext]
) -> dict[str, Place]:
    """Return the places of ids that fit several sources, and are registered in this form.

    A client that registers a plain id again means the same transaction, even if a source with such
    ids was added meanwhile.
    """
    if len(contexts) == 1:
        return {}
    wanted: dict[str, Sequence[Place]] = {}
    for text in set(texts):
        try:
            found = places(text, contexts)
        except InvalidTransactionError:
            continue
        if len(found) > 1:
            wanted[text] = found
    if not wanted:
        return {}
    stored = {tracked.key: tracked for tracked in await _load(sorted(wanted))}
    return {
        text: place
        for text, found in wanted.items()
        for place in found
        if text in stored and stored[text].source == place.context.source.name
    }


async def locate(text: str) -> tuple[TrackerContext, str]:
    """Return the source of a registered transaction, and its id as it was registered.

    Raises:
        InvalidTransactionError: No source has such ids, or follows the chain of its chain id.
        AmbiguousIdError: Transactions of several sources are registered with this id.
        NotTrackedError: The transaction is registered at none of several sources. If only one
            source is possible, the id itself is returned: its row can be gone.
    """
    found = places(text)
    known = [(place, await _registered(place)) for place in found]
    stored = [(place, tracked) for place, tracked in known if tracked is not None]
    if len(stored) > 1:
        raise AmbiguousIdError(text, [place.caip_id for place, _ in stored])
    if stored:
        place, tracked = stored[0]
        return place.context, tracked.key
    if len(found) > 1:
        raise NotTrackedError(text)
    return found[0].context, found[0].given or found[0].id


async def locate_key(text: str) -> str:
    """Return the id of a registered transaction as it was registered, to read what is stored.

    Also of a transaction of a source that is no longer configured, by its id with the chain id.

    Raises:
        The errors of ``locate``.
    """
    try:
        _, key = await locate(text)
    except InvalidTransactionError:
        named = split_caip_id(text)
        for tracked in await _load([] if named is None else [text, named[1]]):
            if named is not None and chain_of(tracked.source) == named[0]:
                return tracked.key
        raise
    return key


async def locate_followed(text: str) -> tuple[TrackerContext, str]:
    """Return the same as ``locate``, for a request that changes the transaction.

    Raises:
        UnknownSourceError: The source of the transaction is no longer configured.
    """
    context, key = await locate(text)
    if context.label is not None:
        # The id can fit another source, which does not have the transaction.
        for tracked in await _load([key]):
            context = TrackerContext.of(tracked)
    return context, key


async def _registered(place: Place) -> Tracked | None:
    tracked = place.context.open_transactions.get(place.id)
    if tracked is not None:
        return tracked
    source = place.context.source.name
    rows = await Store.run(partial(load_local, source=source, ids=[place.id]))
    return next(iter(rows), None)


async def _load(keys: Sequence[str]) -> list[Tracked]:
    return await Store.run(partial(load_some, ids=keys))


def _fitting(
    contexts: Sequence[TrackerContext], identify: Callable[[TrackerContext], str]
) -> tuple[list[Place], list[InvalidTransactionError]]:
    """Return the places in the sources that have such a transaction, and the errors of others."""
    found: list[Place] = []
    errors: list[InvalidTransactionError] = []
    for context in contexts:
        try:
            place = Place(context, identify(context))
        except InvalidTransactionError as error:
            errors.append(error)
        else:
            found.append(place)
    return found, errors


def _only(
    text: str, found: Sequence[Place], registered: Mapping[str, Place] | None = None
) -> Place:
    if len(found) == 1:
        return found[0]
    if registered is not None and text in registered:
        return registered[text]
    raise AmbiguousIdError(text, [place.caip_id for place in found])


def _storable(place: Place) -> Place:
    """Return a place; raise an error if its id is too long to be stored with the chain id.

    Only of new registrations: a longer id can be stored since the service had only one source.
    """
    if place.context.label is not None and len(place.caip_id) > MAX_ID_CHARACTERS:
        raise InvalidTransactionError(
            f"an id must have at most {MAX_ID_CHARACTERS} characters with its chain id, "
            f"got {len(place.caip_id)}"
        )
    return place


def _unknown_chain(text: str, contexts: Sequence[TrackerContext]) -> InvalidTransactionError | None:
    named = split_caip_id(text) if isinstance(text, str) else None
    if named is None:
        return None
    known = ", ".join(chain_of(context.source.name) for context in contexts)
    return InvalidTransactionError(f"expected an id of {known}, got one of {named[0]}")


def _unfit(errors: Sequence[InvalidTransactionError], noun: str = "id") -> InvalidTransactionError:
    if len(errors) == 1:
        return errors[0]
    texts = "; ".join(map(str, errors))
    message = f"the {noun} fits none of the sources: {texts}"
    return InvalidTransactionError(message, errors[0].field if errors else None)
