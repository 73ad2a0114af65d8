"""Lists of transactions: in the order of their ids, or of their activity, with filters."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Annotated, Literal, TypeAlias

from fastapi import APIRouter, Query
from sqlalchemy import Connection
from starlette.responses import Response

from transaction_tracker.api.answers import READ, Api, Limit, answer, problems, shows
from transaction_tracker.api.cursors import (
    TransactionCursor,
    is_of_activity,
    of_place,
    of_transaction,
    place_at,
    transaction_at,
)
from transaction_tracker.api.fields import TimeIn
from transaction_tracker.api.models import TransactionPage, TransactionPageWithCursors
from transaction_tracker.api.routes.transactions import current_view
from transaction_tracker.api.validation import SEARCH_PATTERN
from transaction_tracker.domain import Flag, State
from transaction_tracker.store import Store
from transaction_tracker.store.listing import TransactionFilter, activity_page, id_page
from transaction_tracker.store.pages import TransactionRecord

router: APIRouter = APIRouter(prefix="/v1/transactions", tags=["transactions"])

MAX_SEARCH_CHARACTERS = 200

_Page: TypeAlias = tuple[list[TransactionRecord], list[str]]

States = Annotated[
    list[State], Query(default_factory=list, max_length=20, description="Only these states.")
]
Flags = Annotated[
    list[Flag], Query(default_factory=list, max_length=20, description="Only with these flags.")
]
Search = Annotated[
    str,
    Query(
        max_length=MAX_SEARCH_CHARACTERS,
        pattern=SEARCH_PATTERN,
        description="Start of the id, or a part of the metadata as JSON.",
    ),
]
Since = Annotated[TimeIn | None, Query(description="Only those registered at or after this time.")]
Attention = Annotated[
    bool,
    Query(
        description="Only open transactions that are parked, missing or have a flag; in the order "
        "of activity, the oldest first."
    ),
]
SourceName = Annotated[
    str | None, Query(max_length=32, description="Only of the source with this name.")
]
Cursors = Annotated[
    bool, Query(description="Whether the page has `cursors`, from each of which a list can go on.")
]
Order = Annotated[
    Literal["id", "activity"],
    Query(
        description="activity: open transactions, the newest first, then those that have ended, "
        "the last ended first. A `cursor` keeps the order of its list."
    ),
]


@router.get(
    "",
    operation_id="listTransactions",
    dependencies=[READ],
    responses={
        200: shows(TransactionPageWithCursors, "A page, in the chosen order."),
        **problems(404, 422),
    },
)
async def list_transactions(
    api: Api,
    state: States,
    flag: Flags,
    search: Search = "",
    since: Since = None,
    attention: Attention = False,
    source: SourceName = None,
    order: Order = "id",
    cursor: TransactionCursor = None,
    limit: Limit = 100,
    cursors: Cursors = False,
) -> Response:
    """List transactions that match every given filter."""
    wanted = TransactionFilter(
        frozenset(state),
        frozenset(flag),
        search,
        _seconds(since),
        attention,
        None if source is None else api.source_named(source).source,
    )
    by_activity = order == "activity" if cursor is None else is_of_activity(cursor)
    read = _by_activity if by_activity else _by_id
    records, places = await Store.run(read(cursor, limit, wanted))
    sources = {record.tracked.source for record in records}
    degraded = {source for source in sources if api.degraded(source)}
    views = [current_view(record, record.tracked.source in degraded) for record in records]
    following = places[-1] if len(records) == limit else None
    if cursors:
        page = TransactionPageWithCursors(transactions=views, next=following, cursors=places)
        return answer(page)
    return answer(TransactionPage(transactions=views, next=following))


def _seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _by_id(
    cursor: str | None, limit: int, wanted: TransactionFilter
) -> Callable[[Connection], _Page]:
    after = None if cursor is None else transaction_at(cursor)
    page = partial(id_page, after=after, limit=limit, wanted=wanted)

    def read(connection: Connection) -> _Page:
        records = page(connection)
        return records, [of_transaction(record.tracked.key) for record in records]

    return read


def _by_activity(
    cursor: str | None, limit: int, wanted: TransactionFilter
) -> Callable[[Connection], _Page]:
    after = None if cursor is None else place_at(cursor)
    page = partial(activity_page, after=after, limit=limit, wanted=wanted)

    def read(connection: Connection) -> _Page:
        records, places = page(connection)
        return records, [of_place(place) for place in places]

    return read
