"""Register, list, read, change, wait for, recheck and untrack transactions."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Literal, cast

from fastapi import APIRouter, Query, Request
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from transaction_tracker.api import request_bodies
from transaction_tracker.api.answers import (
    READ,
    WRITE,
    Api,
    Id,
    answer,
    problems,
    shows,
    with_body,
)
from transaction_tracker.api.changing import read_change
from transaction_tracker.api.context import ApiContext
from transaction_tracker.api.items import read_items
from transaction_tracker.api.models import (
    TransactionDetail,
    TransactionView,
    WaitResult,
    transaction_detail,
    transaction_view,
)
from transaction_tracker.api.problems import ErrorDetail, ProblemError
from transaction_tracker.api.registering import (
    AcceptedItem,
    CheckedItem,
    RefusedItem,
    RegistrationResults,
    check_items,
)
from transaction_tracker.api.sharded import WRONG_SHARD, refuse_misplaced, shard_of
from transaction_tracker.api.waiting import disconnected, first
from transaction_tracker.api.why import Situation, why
from transaction_tracker.domain import NotTrackedError, Policy, State, Tracked, UnknownSourceError
from transaction_tracker.domain.numbers import json_number
from transaction_tracker.store import Store
from transaction_tracker.store.feed import EventRecord, last_events
from transaction_tracker.store.pages import TransactionRecord, transaction_page
from transaction_tracker.tracker import (
    TrackerContext,
    TransactionTracker,
    locate_followed,
    locate_key,
)

router: APIRouter = APIRouter(prefix="/v1/transactions", tags=["transactions"])

MAX_HISTORY_EVENTS = 100
MAX_WAIT_SECONDS = 60.0


@router.post(
    "",
    operation_id="registerTransactions",
    dependencies=[WRITE],
    responses={200: shows(RegistrationResults, "Result of each registration."), **with_body(421)},
    openapi_extra=request_bodies.of_registering(),
)
async def register(request: Request, api: Api) -> Response:
    """Track one transaction, or up to 10,000.

    An invalid registration is a problem with status 422 if it is sent as a single object. In a
    list, its result contains the errors, and the other registrations are stored.
    """
    content = read_items(await request.body())
    with api.registering.take(len(content.items)):
        checked = await check_items(content, TrackerContext.all())
        if api.service.shard is not None:
            checked = await refuse_misplaced(checked, content.pointers(), api.service.shard)
        if content.place is None and checked[0].errors:
            raise _problem(checked[0])
        valid = [item.registration for item in checked if item.registration is not None]
        stored = iter(await TransactionTracker.start_many(valid))
    return answer(_registered(checked, stored))


def _problem(item: CheckedItem) -> ProblemError:
    detail = "; ".join(error["detail"] for error in item.errors)
    if any(shard_of(error) is not None for error in item.errors):
        return ProblemError(421, detail, kind=WRONG_SHARD, errors=item.errors)
    if item.is_ambiguous:
        return ProblemError(409, detail, kind="ambiguous-id", errors=item.errors)
    return ProblemError(422, detail, kind="invalid-request", errors=item.errors)


def _registered(checked: list[CheckedItem], stored: Iterator[Tracked]) -> RegistrationResults:
    """Return the results; ``stored`` are the states of the valid registrations, in their order."""
    results = [_result(item, stored) for item in checked]
    refused = sum(bool(item.errors) for item in checked)
    return RegistrationResults(accepted=len(checked) - refused, refused=refused, results=results)


def _result(item: CheckedItem, stored: Iterator[Tracked]) -> AcceptedItem | RefusedItem:
    if item.registration is None:
        # Mappings: members that do not apply are left out.
        errors = cast("Sequence[ErrorDetail]", item.errors)
        return RefusedItem(id=item.given, status="refused", errors=errors)
    tracked = next(stored)
    return AcceptedItem(
        id=tracked.key,
        caip_id=tracked.caip_id,
        status="accepted",
        state=tracked.state,
        version=tracked.version,
    )


@router.get(
    "/{id}",
    operation_id="getTransaction",
    dependencies=[READ],
    responses={200: shows(TransactionDetail), **problems(404, 422)},
)
async def get_transaction(id: Id, api: Api) -> Response:  # noqa: A002 - the path's name
    """Return a transaction with the reason for its state and its history."""
    key = await locate_key(id)
    kept = await _kept(key)
    events = await Store.run(partial(last_events, transaction=key, limit=MAX_HISTORY_EVENTS))
    degraded = api.degraded_reason(kept.tracked.source)
    situation = _situation(kept, events, degraded)
    detail = transaction_detail(
        kept,
        situation.confirmations,
        degraded is not None and not kept.tracked.final,
        why(kept.tracked, situation),
        events,
    )
    return answer(detail)


@router.delete(
    "/{id}",
    operation_id="untrackTransaction",
    dependencies=[WRITE],
    responses={200: shows(TransactionView), **problems(404, 422)},
)
async def untrack(id: Id, api: Api) -> Response:  # noqa: A002
    """Stop tracking a transaction; no effect on a finished one."""
    tracked = await TransactionTracker.untrack(id)
    return answer(current_view(await _kept(tracked.key), api.degraded(tracked.source)))


@router.patch(
    "/{id}",
    operation_id="changeTransaction",
    dependencies=[WRITE],
    responses={200: shows(TransactionView), **with_body(404)},
    openapi_extra=request_bodies.of_change(),
)
async def change(request: Request, id: Id, api: Api) -> Response:  # noqa: A002
    """Change what is required of a transaction that has not ended.

    Fields that are missing stay as they are. Repeating the request changes nothing.
    """
    body = await request.body()
    context, key = await locate_followed(id)
    tracked = await TransactionTracker.apply_change(key, read_change(body, context))
    return answer(current_view(await _kept(key), api.degraded(tracked.source)))


@router.post(
    "/{id}/recheck",
    operation_id="recheckTransaction",
    dependencies=[WRITE],
    status_code=202,
    responses={
        202: shows(TransactionView, "The state before the check."),
        **problems(400, 404, 409, 422),
    },
)
async def recheck(id: Id, api: Api) -> Response:  # noqa: A002
    """Schedule a check of a transaction at its source."""
    tracked = await TransactionTracker.recheck(id)
    return answer(current_view(await _kept(tracked.key), api.degraded(tracked.source)), 202)


@router.get(
    "/{id}/wait",
    operation_id="waitForTransaction",
    dependencies=[READ],
    responses={200: shows(WaitResult), **problems(404, 422)},
)
async def wait(
    request: Request,
    id: Id,  # noqa: A002
    api: Api,
    until: Annotated[
        State | Literal["terminal"],
        Query(description="State to wait for; `terminal` is any state that ends the transaction."),
    ] = "terminal",
    timeout: Annotated[
        float,
        # Before the validator, as in ``Limit``.
        Field(ge=0, le=MAX_WAIT_SECONDS),
        BeforeValidator(json_number),
        Query(description="Timeout in seconds."),
    ] = 30.0,
) -> Response:
    """Wait until a transaction is in a state or has ended, and return it."""
    key = await locate_key(id)
    seconds = min(timeout, api.options.max_wait_seconds)
    with api.waiters.take():
        kept = await _until(api, request, key, until, seconds)
    view = current_view(kept, api.degraded(kept.tracked.source))
    return answer(WaitResult(reached=_reached(kept.tracked, until), transaction=view))


async def _until(
    api: ApiContext, request: Request, key: str, until: str, seconds: float
) -> TransactionRecord:
    """Wait for the state, the timeout, the client's disconnect or the end of the API."""
    end = time.monotonic() + seconds
    gone = asyncio.ensure_future(disconnected(request.receive))
    try:
        with api.service.feed.waiting(key) as signal:
            while True:
                signal.clear()
                kept = await _kept(key)
                left = end - time.monotonic()
                if _reached(kept.tracked, until) or left <= 0 or api.service.feed.closed:
                    return kept
                if gone.done():
                    return kept
                await first(signal, gone, left)
    finally:
        gone.cancel()


def _reached(tracked: Tracked, until: str) -> bool:
    return tracked.ended if until == "terminal" else tracked.final or tracked.state == until


async def _kept(key: str) -> TransactionRecord:
    kept = await Store.run(partial(transaction_page, transaction=key))
    if kept is None:
        raise NotTrackedError(key)
    return kept


def current_view(kept: TransactionRecord, degraded: bool) -> TransactionView:
    """Return a transaction with its confirmations now.

    Args:
        kept: The transaction.
        degraded: Whether the states of open transactions can be out of date.
    """
    tracked = kept.tracked
    return transaction_view(
        kept, TransactionTracker.confirmations(tracked), degraded and not tracked.final
    )


def _situation(
    kept: TransactionRecord, events: list[EventRecord], degraded: str | None
) -> Situation:
    context = _context_of(kept.tracked)
    moves = (
        entry.recorded_at
        for entry in reversed(events)
        if entry.event.previous != entry.event.tracked.state
    )
    tip = None if context is None else context.open_transactions.tip
    return Situation(
        now=time.time(),
        since=next(moves, kept.created_at),
        tip=None if tip is None else tip.number,
        confirmations=TransactionTracker.confirmations(kept.tracked),
        degraded=degraded,
        policy=Policy() if context is None else context.policy,
    )


def _context_of(tracked: Tracked) -> TrackerContext | None:
    """Return the source of a transaction; ``None`` if it is no longer configured."""
    try:
        return TrackerContext.of(tracked)
    except UnknownSourceError:
        return None
