"""Watched addresses: add, list, read and remove them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, cast

import orjson
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field
from starlette.responses import Response

from transaction_tracker.api import cursors, request_bodies
from transaction_tracker.api.answers import (
    READ,
    WRITE,
    Api,
    Limit,
    answer,
    problems,
    shows,
    with_body,
)
from transaction_tracker.api.context import ApiContext
from transaction_tracker.api.fields import USED_ADDRESS_PATTERN
from transaction_tracker.api.items import read_items
from transaction_tracker.api.models import Next, Time, rfc3339
from transaction_tracker.api.problems import ErrorDetail, ProblemError
from transaction_tracker.api.watching import (
    CheckedAddress,
    RefusedAddress,
    WatchedItem,
    WatchResults,
    check_addresses,
)
from transaction_tracker.delivery.views import Metadata
from transaction_tracker.domain import AddressToWatch, AmbiguousIdError, Required, caip_id
from transaction_tracker.store import Store
from transaction_tracker.store.addresses import watching
from transaction_tracker.store.addresses.searches import InvalidSearchError
from transaction_tracker.store.addresses.watching import TooManyAddressesError, WatchedAddress
from transaction_tracker.tracker import TrackerContext
from transaction_tracker.tracker.addresses import (
    MAX_ADDRESS_CHARACTERS,
    InvalidAddressError,
    address_places,
)
from transaction_tracker.tracker.watching import store

router: APIRouter = APIRouter(prefix="/v1/addresses", tags=["addresses"])

Address = Annotated[
    str,
    Path(
        max_length=MAX_ADDRESS_CHARACTERS,
        description="The address; the chain id can be before it (CAIP-10).",
        # For the description alone: the source checks it.
        json_schema_extra={"pattern": USED_ADDRESS_PATTERN},
    ),
]
SourceName = Annotated[
    str | None, Query(max_length=32, description="Only of the source with this name.")
]


@dataclass(kw_only=True)
class PassedOverView:
    """Payments that became no transaction, by reason."""

    below_minimum: Annotated[int, Field(description="Below the minimum amount of the currency.")]
    over_limit: Annotated[
        int, Field(description="Beyond `max_open` open transactions of the address.")
    ]
    failed: Annotated[int, Field(description="The transaction failed in its block.")]


@dataclass(kw_only=True)
class SearchView:
    """The search for deposits in earlier blocks."""

    from_block: Annotated[int, Field(description="Number of the first block of the search.")]
    next_block: Annotated[int, Field(description="Number of the next block to search.")]
    to_block: Annotated[int, Field(description="Number of the last block of the search.")]


@dataclass(kw_only=True)
class AddressView:
    """A watched address."""

    address: Annotated[str, Field(description="The address, in lower case on Ethereum.")]
    caip_id: Annotated[str, Field(description="Address with the chain id before it (CAIP-10).")]
    source: Annotated[
        str | None, Field(description="Name of its source; null if the service has only one.")
    ]
    confirmations: Annotated[
        Required | None, Field(description="Its own requirement; null for that of the source.")
    ]
    metadata: Annotated[
        Metadata, Field(description="The metadata that each of its transactions gets.")
    ]
    watched_from: Annotated[
        int | None,
        Field(
            description="Number of the first block that was compared with it when it was applied; "
            "null if it was added before the first block."
        ),
    ]
    found: Annotated[int, Field(description="Number of transactions that paid it.")]
    open: Annotated[int, Field(description="Number of these that are not final.")]
    passed_over: Annotated[
        PassedOverView, Field(description="Payments to it that became no transaction.")
    ]
    search: Annotated[
        SearchView | None, Field(description="Null without one, and once it is complete.")
    ]
    created_at: Annotated[Time, Field(description="Time when it was added.")]


@dataclass(kw_only=True)
class AddressPage:
    """A page of watched addresses."""

    addresses: Annotated[list[AddressView], Field(description="The addresses of the page.")]
    next: Next


@router.post(
    "",
    operation_id="watchAddresses",
    dependencies=[WRITE],
    responses={200: shows(WatchResults, "Result of each address."), **with_body(404)},
    openapi_extra=request_bodies.of_watching(),
)
async def watch(request: Request, api: Api) -> Response:
    """Watch one address, or up to 10,000: each payment to it becomes a tracked transaction.

    An address that is watched already stays as it is; only `from_block` counts again. An invalid
    address is a problem with status 422 if it is sent as a single object. In a list, its result
    contains the errors, and the other addresses are stored.
    """
    content = read_items(await request.body(), "addresses", "addresses")
    with api.registering.take(len(content.items)):
        checked = await check_addresses(content, TrackerContext.all())
        if content.place is None and checked[0].errors:
            if checked[0].unknown_source is not None:
                api.source_named(checked[0].unknown_source)
            raise _problem(checked[0])
        new = await _store([item.wanted for item in checked if item.wanted is not None])
    results = [_result(item, new) for item in checked]
    refused = sum(item.wanted is None for item in checked)
    return answer(WatchResults(accepted=len(checked) - refused, refused=refused, results=results))


@router.get(
    "",
    operation_id="listAddresses",
    dependencies=[READ],
    responses={200: shows(AddressPage, "A page, ordered by address."), **problems(404, 422)},
)
async def list_addresses(
    api: Api,
    source: SourceName = None,
    cursor: cursors.AddressCursor = None,
    limit: Limit = 100,
) -> Response:
    """List watched addresses."""
    chosen = None if source is None else api.source_named(source).source
    after = None if cursor is None else cursors.address_at(cursor)
    read = partial(watching.page, after=after, limit=limit, source=chosen)
    found = await Store.run(read)
    last = found[-1] if len(found) == limit else None
    following = None if last is None else cursors.of_address(last.source, last.address)
    return answer(AddressPage(addresses=[_view(api, each) for each in found], next=following))


@router.get(
    "/{address}",
    operation_id="getAddress",
    dependencies=[READ],
    responses={200: shows(AddressView), **problems(404, 409, 422)},
)
async def get_address(address: Address, api: Api, source: SourceName = None) -> Response:
    """Return a watched address with its counts."""
    return answer(_view(api, await _watched(api, address, source)))


@router.delete(
    "/{address}",
    operation_id="unwatchAddress",
    dependencies=[WRITE],
    responses={200: shows(AddressView, "The address as it was."), **problems(404, 409, 422)},
)
async def unwatch(address: Address, api: Api, source: SourceName = None) -> Response:
    """Stop watching an address; transactions that paid it are still tracked."""
    found = await _watched(api, address, source)
    await Store.run(partial(watching.unwatch, source=found.source, address=found.address))
    return answer(_view(api, found))


async def _store(wanted: Iterable[AddressToWatch]) -> set[tuple[str, str]]:
    """Store addresses; return source and address of the new ones."""
    new: set[tuple[str, str]] = set()
    by_source: dict[str, list[AddressToWatch]] = {}
    for each in wanted:
        by_source.setdefault(each.source, []).append(each)
    for source, some in by_source.items():
        try:
            new |= {(source, address) for address in await store(source, some)}
        except TooManyAddressesError as error:
            raise ProblemError(409, str(error), kind="too-many-addresses") from None
        except InvalidSearchError as error:
            raise ProblemError(409, str(error), kind="invalid-search") from None
    return new


def _problem(item: CheckedAddress) -> ProblemError:
    detail = "; ".join(error["detail"] for error in item.errors)
    if item.is_ambiguous:
        return ProblemError(409, detail, kind="ambiguous-id", errors=item.errors)
    return ProblemError(422, detail, kind="invalid-request", errors=item.errors)


def _result(item: CheckedAddress, new: set[tuple[str, str]]) -> WatchedItem | RefusedAddress:
    if item.wanted is None:
        errors = cast("Sequence[ErrorDetail]", item.errors)
        return RefusedAddress(address=item.given, status="refused", errors=errors)
    place = item.wanted.source, item.wanted.address
    existing = place not in new
    # Of several equal addresses in a request, the first one counts.
    new.discard(place)
    return WatchedItem(
        address=item.wanted.address, caip_id=caip_id(*place), status="accepted", existing=existing
    )


async def _watched(api: ApiContext, text: str, label: str | None) -> WatchedAddress:
    """Return the only watched address that a text means, or raise a problem."""
    if label is not None:
        api.source_named(label)  # an unknown one is a problem with status 404
    try:
        places = address_places(text, label)
    except InvalidAddressError as error:
        fault = {"detail": str(error), "parameter": error.field}
        raise ProblemError(422, str(error), kind="invalid-address", errors=[fault]) from None
    wanted = {place.context.source.name for place in places}
    stored = await Store.run(partial(watching.find, address=places[0].address))
    found = [each for each in stored if each.source in wanted]
    if len(found) > 1:
        raise AmbiguousIdError(text, [caip_id(each.source, each.address) for each in found])
    if not found:
        detail = f"{places[0].address} is not watched; watch it with POST /v1/addresses"
        raise ProblemError(404, detail, kind="not-watched")
    return found[0]


def _view(api: ApiContext, found: WatchedAddress) -> AddressView:
    names = {source.source: source.name for source in api.service.sources}
    search = found.search
    return AddressView(
        address=found.address,
        caip_id=caip_id(found.source, found.address),
        source=names.get(found.source),
        confirmations=found.required,
        metadata=orjson.Fragment(found.metadata),
        watched_from=found.watched_from,
        found=found.found,
        open=found.open,
        passed_over=PassedOverView(**found.passed_over),
        search=None
        if search is None
        else SearchView(
            from_block=search.first_block,
            next_block=search.next_block,
            to_block=search.last_block,
        ),
        created_at=rfc3339(found.created_at),
    )
