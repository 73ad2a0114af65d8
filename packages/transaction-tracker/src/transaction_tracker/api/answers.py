"""How routes answer and are described: JSON written by orjson, and the problems they may report."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Path, Query, Security
from pydantic import BaseModel
from starlette.responses import Response

from transaction_tracker.api.access import needs
from transaction_tracker.api.context import Room, room_of
from transaction_tracker.api.problems import MEDIA_TYPE, Problem
from transaction_tracker.store.pages import MAX_PAGE

_TEXTS = {
    400: "The request is not JSON, or nested too deep.",
    401: "A token is missing or wrong.",
    403: "The token has not the scope for this.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "It cannot be done as things are.",
    413: "The body is too large.",
    415: "The body is no plain JSON.",
    422: "A part of the request is not as expected; `errors` says which.",
    429: "A limit is reached; Retry-After says when to come again.",
    500: "An error in the service; it is logged.",
    502: "Somebody whom we asked did not answer as expected.",
    503: "A part of the service is not there at the moment.",
}

# The scopes are for the API's description; `needs` checks them.
READ = Security(needs("read"), scopes=["read"])
WRITE = Security(needs("write"), scopes=["write"])
ADMIN = Security(needs("admin"), scopes=["admin"])

RoomOf = Annotated[Room, Depends(room_of)]
Id = Annotated[str, Path(max_length=200, description="The transaction's id at its source.")]
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="How many at most.")]


def answer(content: Any, status: int = 200) -> Response:
    """Answer with JSON."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route can report, and those that all can."""
    chosen = sorted({401, 403, 429, 500, 503, *statuses})
    return {status: _problem(_TEXTS[status]) for status in chosen}


def with_body(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the problems of a route that takes a body."""
    return problems(400, 408, 409, 413, 415, 422, *statuses)


def shows(model: type[BaseModel], text: str = "What was asked for.") -> dict[str, Any]:
    """Describe an answer that the route writes itself."""
    return {"model": model, "description": text}


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
