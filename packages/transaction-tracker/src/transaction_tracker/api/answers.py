"""Responses of the routes and their descriptions for OpenAPI."""

from typing import Annotated, Any

import orjson
from fastapi import Depends, Path, Query, Security
from pydantic import BeforeValidator, Field
from starlette.responses import Response

from transaction_tracker.api.access import needs
from transaction_tracker.api.context import ApiContext, api_context
from transaction_tracker.api.problems import MEDIA_TYPE, ProblemDetails
from transaction_tracker.domain.numbers import whole_number
from transaction_tracker.store.pages import MAX_PAGE_SIZE

# Stands for the description of the response's schema.
SUCCESS = "Success."
_TEXTS = {
    400: "The body is not valid JSON, or nested too deep.",
    401: "The token is missing or invalid.",
    403: "The token lacks the required scope.",
    404: "Not found.",
    408: "The body was not received in time.",
    409: "The request conflicts with the current state.",
    413: "The body is too large.",
    415: "The body is not uncompressed JSON.",
    421: "The transaction belongs to another shard; `errors` says which one.",
    422: "A part of the request is invalid; `errors` names it.",
    429: "A limit is reached; retry after the time in Retry-After.",
    500: "Internal error; the service has logged it.",
    503: "A part of the service is unavailable.",
}

# The scopes are for the API's description; `needs` checks them.
READ = Security(needs("read"), scopes=["read"])
WRITE = Security(needs("write"), scopes=["write"])
ADMIN = Security(needs("admin"), scopes=["admin"])

Api = Annotated[ApiContext, Depends(api_context)]
Id = Annotated[str, Path(max_length=200, description="Id of the transaction at its source.")]
Limit = Annotated[
    int,
    # Before the validator: the description shows the limits only of what is inside of one.
    Field(ge=1, le=MAX_PAGE_SIZE),
    BeforeValidator(whole_number),
    Query(description="Maximum number of items."),
]


def answer(content: object, status: int = 200) -> Response:
    """Return a response model as JSON."""
    return Response(orjson.dumps(content), status, media_type="application/json")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of a route's problems, including those of all routes."""
    chosen = sorted({401, 403, 429, 500, 503, *statuses})
    return {status: _problem(_TEXTS[status]) for status in chosen}


def with_body(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the descriptions of the problems of a route with a request body."""
    return problems(400, 408, 409, 413, 415, 422, *statuses)


def shows(model: type[object], text: str = SUCCESS) -> dict[str, Any]:
    """Return the description of a response that the route writes with ``answer``.

    Args:
        model: The shape of the response.
        text: What it is. Default: the description of the shape.
    """
    return {"model": model, "description": text}


def _problem(text: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{ProblemDetails.__name__}"}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}
