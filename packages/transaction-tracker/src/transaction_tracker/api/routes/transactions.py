"""Transactions: register, list, look at, wait for, ask about again, and let go."""

import asyncio
import time
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from transaction_tracker.api import cursors
from transaction_tracker.api.answers import (
    READ,
    WRITE,
    Id,
    Limit,
    RoomOf,
    answer,
    problems,
    shows,
    with_body,
)
from transaction_tracker.api.context import Room
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.api.registering import (
    MAX_ITEMS,
    Fallible,
    Registered,
    RegistrationIn,
    check_items,
    read_items,
)
from transaction_tracker.api.views import (
    Json,
    TransactionDetail,
    TransactionPage,
    TransactionView,
    WaitResult,
    event_view,
    transaction_view,
    why_view,
)
from transaction_tracker.api.waiting import disconnected, first
from transaction_tracker.api.why import Situation, why
from transaction_tracker.domain import NotTrackedError, State, Tracked
from transaction_tracker.store import Store
from transaction_tracker.store.feed import Entry
from transaction_tracker.store.history import last_events
from transaction_tracker.store.pages import Kept, transaction_page, transactions_page
from transaction_tracker.tracker import Context, TransactionTracker

router = APIRouter(prefix="/v1/transactions", tags=["transactions"])

HISTORY = 100
LONGEST_WAIT_SECONDS = 60.0


def _body() -> dict[str, Any]:
    single = RegistrationIn.model_json_schema()
    single["not"] = {"required": ["deadline", "expires_in"]}
    # Each item is checked on its own: one that is malformed is reported in its place.
    many = {"type": "array", "items": {}, "minItems": 1, "maxItems": MAX_ITEMS}
    wrapped = {
        "type": "object",
        "properties": {"transactions": many},
        "required": ["transactions"],
        "additionalProperties": False,
    }
    schema = {"oneOf": [single, many, wrapped]}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post(
    "",
    operation_id="registerTransactions",
    dependencies=[WRITE],
    responses={200: shows(Registered, "What became of each."), **with_body()},
    openapi_extra=_body(),
)
async def register(request: Request, room: RoomOf) -> Response:
    """Follow transactions: one, or up to 10,000.

    Sent as a single object, one that is malformed is a problem with status 422. In a list, it is
    reported in its place, and the others are registered.
    """
    content = read_items(await request.body())
    with room.registering.take(len(content.items)):
        checked = check_items(content, Context.current())
        if content.place is None and checked[0].errors:
            detail = "; ".join(error["detail"] for error in checked[0].errors)
            raise ProblemError(422, detail, kind="invalid-request", errors=checked[0].errors)
        good = [one.registration for one in checked if one.registration is not None]
        stored = {one.id: one for one in await TransactionTracker.start_many(good)}
    return answer(_registered(checked, stored))


def _registered(checked: list[Fallible], stored: dict[str, Tracked]) -> Json:
    results = [_result(one, stored) for one in checked]
    refused = sum(bool(one.errors) for one in checked)
    return {"accepted": len(checked) - refused, "refused": refused, "results": results}


def _result(one: Fallible, stored: dict[str, Tracked]) -> Json:
    if one.registration is None:
        return {"id": one.given, "status": "refused", "errors": one.errors}
    tracked = stored[one.registration.id]
    return {
        "id": tracked.id,
        "status": "accepted",
        "state": tracked.state,
        "version": tracked.version,
    }


@router.get(
    "",
    operation_id="listTransactions",
    dependencies=[READ],
    responses={200: shows(TransactionPage, "A page, in the order of the ids."), **problems(422)},
)
async def list_transactions(
    room: RoomOf,
    state: Annotated[
        list[State], Query(default_factory=list, max_length=20, description="Only in these.")
    ],
    cursor: cursors.TransactionCursor = None,
    limit: Limit = 100,
) -> Response:
    """List transactions."""
    after = None if cursor is None else cursors.transaction_at(cursor)
    page = partial(transactions_page, after=after, limit=limit, states=state)
    rows = await Store.run(page)
    degraded = room.degraded()
    full = len(rows) == limit
    content = {
        "transactions": [_view(kept, degraded) for kept in rows],
        "next": cursors.of_transaction(rows[-1].tracked.id) if full else None,
    }
    return answer(content)


@router.get(
    "/{id}",
    operation_id="getTransaction",
    dependencies=[READ],
    responses={200: shows(TransactionDetail), **problems(404, 422)},
)
async def get_transaction(id: Id, room: RoomOf) -> Response:  # noqa: A002 - the path's word
    """Tell all about a transaction: its state, how it came to be so, and why it is there."""
    key = Context.current().source.identify(id)
    kept = await _kept(key)
    events = await Store.run(partial(last_events, transaction=key, limit=HISTORY))
    degraded = room.degraded_reason()
    content = _view(kept, degraded is not None)
    content["why"] = why_view(why(kept.tracked, _situation(kept, events, degraded)))
    content["history"] = [event_view(entry) for entry in events]
    return answer(content)


@router.delete(
    "/{id}",
    operation_id="untrackTransaction",
    dependencies=[WRITE],
    responses={200: shows(TransactionView, "As it is now."), **problems(404, 422)},
)
async def untrack(id: Id, room: RoomOf) -> Response:  # noqa: A002
    """Follow a transaction no more; one that has ended stays as it is."""
    tracked = await TransactionTracker.untrack(id)
    return answer(_view(await _kept(tracked.id), room.degraded()))


@router.post(
    "/{id}/recheck",
    operation_id="recheckTransaction",
    dependencies=[WRITE],
    status_code=202,
    responses={
        202: shows(TransactionView, "As it is until the source answers."),
        **problems(400, 404, 409, 422),
    },
)
async def recheck(id: Id, room: RoomOf) -> Response:  # noqa: A002
    """Ask the source about a transaction soon."""
    tracked = await TransactionTracker.recheck(id)
    return answer(_view(await _kept(tracked.id), room.degraded()), 202)


@router.get(
    "/{id}/wait",
    operation_id="waitForTransaction",
    dependencies=[READ],
    responses={200: shows(WaitResult, "What became of it."), **problems(404, 422)},
)
async def wait(
    request: Request,
    id: Id,  # noqa: A002
    room: RoomOf,
    until: Annotated[
        State | Literal["terminal"], Query(description="A state; terminal is any that ends it.")
    ] = "terminal",
    timeout: Annotated[float, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds.")] = 30.0,
) -> Response:
    """Wait until a transaction is in a state, or at an end, and tell where it is then."""
    key = Context.current().source.identify(id)
    seconds = min(timeout, room.options.max_wait_seconds)
    with room.waiters.take():
        kept = await _until(room, request, key, until, seconds)
    content = {
        "reached": _reached(kept.tracked, until),
        "transaction": _view(kept, room.degraded()),
    }
    return answer(content)


async def _until(room: Room, request: Request, key: str, until: str, seconds: float) -> Kept:
    """Wait for it, for the end of the time, for the client to leave or for the API to stop."""
    end = time.monotonic() + seconds
    gone = asyncio.ensure_future(disconnected(request.receive))
    try:
        with room.service.feed.waiting(key) as signal:
            while True:
                signal.clear()
                kept = await _kept(key)
                left = end - time.monotonic()
                if _reached(kept.tracked, until) or left <= 0 or room.service.feed.closed:
                    return kept
                if gone.done():
                    return kept
                await first(signal, gone, left)
    finally:
        gone.cancel()


def _reached(tracked: Tracked, until: str) -> bool:
    return tracked.ended if until == "terminal" else tracked.final or tracked.state == until


async def _kept(key: str) -> Kept:
    kept = await Store.run(partial(transaction_page, transaction=key))
    if kept is None:
        raise NotTrackedError(key)
    return kept


def _view(kept: Kept, degraded: bool) -> Json:
    tracked = kept.tracked
    return transaction_view(
        kept, TransactionTracker.confirmations(tracked), degraded and not tracked.final
    )


def _situation(kept: Kept, events: list[Entry], degraded: str | None) -> Situation:
    context = Context.current()
    moves = (
        entry.recorded_at
        for entry in reversed(events)
        if entry.event.previous != entry.event.tracked.state
    )
    tip = context.book.tip
    return Situation(
        now=time.time(),
        since=next(moves, kept.created_at),
        tip=None if tip is None else tip.number,
        confirmations=TransactionTracker.confirmations(kept.tracked),
        degraded=degraded,
        policy=context.policy,
    )
