"""Error responses as problem details (RFC 9457): ``application/problem+json``."""

import http
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
# Of the type of a problem; its kind follows.
PREFIX = "urn:problem-type:transaction-tracker:"


class ProblemError(Exception):
    """An error that becomes a response with problem details.

    Args:
        status: HTTP status.
        detail: What was expected, what was received, what to do; never a secret.
        kind: Kind of problem, for programs, such as ``not-tracked``. Default: none beyond the
            status.
        errors: Errors of single parts of the request.
        headers: Further headers of the response, such as ``Retry-After``.
        owner: URL of the service that owns the database.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        owner: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.errors = errors
        self.headers: dict[str, str] = dict(headers or {})
        self.owner = owner


class ErrorDetail(BaseModel):
    """An error in one part of a request, or in one part of the service (`/readyz`)."""

    detail: str = Field(description="What was expected and what was received.")
    pointer: str | None = Field(None, description="JSON Pointer into the body, as a URI fragment.")
    parameter: str | None = Field(None, description="Name of the path or query parameter.")
    header: str | None = Field(None, description="Name of the header.")
    candidates: list[str] | None = Field(
        None, description="Ids with a chain id, if the id fits several sources."
    )
    shard: int | None = Field(None, description="Shard to which the transaction belongs.")
    since: str | None = Field(None, description="Time since which the part fails (`/readyz`).")


class ProblemDetails(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field(
        description=f"Kind of problem, for programs: `{PREFIX}` and one of the kinds that the "
        "responses list; `about:blank` if the status is the only kind."
    )
    title: str = Field(description="The kind of problem, for people.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What was expected, what was received and what to do.")
    instance: str = Field(description="Id of the request, as in the log and `X-Request-ID`.")
    errors: list[ErrorDetail] | None = Field(
        None, description="The parts of the request that are invalid."
    )
    owner: str | None = Field(
        None, description="URL of the service that owns the database, in a response of a standby."
    )


def content(error: ProblemError, request_id: str) -> dict[str, Any]:
    """Return the members of a problem's response.

    Source:
        RFC 9457, section 3.
    """
    title = http.HTTPStatus(error.status).phrase
    members: dict[str, Any] = {
        "type": "about:blank" if error.kind is None else PREFIX + error.kind,
        "title": title if error.kind is None else error.kind.replace("-", " ").capitalize(),
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:request:{request_id}",
    }
    if error.errors:
        members["errors"] = list(error.errors)
    if error.owner is not None:
        members["owner"] = error.owner
    return members


def response(error: ProblemError, request_id: str) -> Response:
    """Return the response of a problem."""
    members = content(error, request_id)
    return Response(
        orjson.dumps(members), error.status, headers=error.headers, media_type=MEDIA_TYPE
    )


def not_json(cause: str) -> ProblemError:
    """Return the problem of a body that is not JSON.

    Args:
        cause: The parser's message. It must not contain the body, which can contain secrets.
    """
    detail = f"the body is not valid JSON: {cause}"
    return ProblemError(400, detail, kind="not-json")


def parsed(body: bytes) -> Any:
    """Return the value of a JSON body.

    Raises:
        ProblemError: The body is not JSON; the detail says where.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise not_json(str(error)) from None


def too_many(detail: str, *, kind: str, retry_after: float = 1.0) -> ProblemError:
    """Return the problem of a limit that is reached; ``retry_after`` is in seconds."""
    seconds = str(max(1, round(retry_after)))
    return ProblemError(429, detail, kind=kind, headers={"Retry-After": seconds})


def unavailable(detail: str) -> ProblemError:
    """Return the problem of a part of the service that is unavailable."""
    return ProblemError(503, detail, kind="unavailable", headers={"Retry-After": "1"})


def standby(detail: str, owner: str | None = None) -> ProblemError:
    """Return the problem of a service that does not own the database.

    Args:
        detail: Why it does not, and what to do.
        owner: URL of the service that does, if it is known.
    """
    return ProblemError(503, detail, kind="standby", headers={"Retry-After": "1"}, owner=owner)
