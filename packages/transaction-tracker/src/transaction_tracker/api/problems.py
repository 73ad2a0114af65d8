"""Errors as RFC 9457 has them: ``application/problem+json``, whatever went wrong."""

import http
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
_PREFIX = "urn:problem-type:transaction-tracker:"


class ProblemError(Exception):
    """A request that cannot be answered as asked, and why.

    Args:
        status: HTTP status.
        detail: What was expected, what came, what to do; never a secret.
        kind: Which problem it is, for programs: ``not-tracked``. Without it, the status says all.
        errors: What is wrong with single parts of the request.
        headers: What else the answer says, such as ``Retry-After``.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind
        self.errors = errors
        self.headers = dict(headers or {})


class Fault(BaseModel):
    """What is wrong with one part of a request."""

    detail: str
    pointer: str | None = Field(None, description="JSON Pointer into the body, as a URI fragment.")
    parameter: str | None = Field(None, description="The parameter of the path or the query.")
    header: str | None = Field(None, description="The header.")
    since: str | None = Field(None, description="Since when, in `/readyz`.")


class Problem(BaseModel):
    """A problem report of RFC 9457."""

    type: str = Field(description="Which problem it is; about:blank when the status says all.")
    title: str
    status: int
    detail: str
    instance: str = Field(description="The request, as the logs call it.")
    errors: list[Fault] | None = None


def response(error: ProblemError, request_id: str) -> Response:
    """Write a problem as an answer.

    Source:
        RFC 9457, section 3.
    """
    title = http.HTTPStatus(error.status).phrase
    content: dict[str, Any] = {
        "type": "about:blank" if error.kind is None else _PREFIX + error.kind,
        "title": title if error.kind is None else error.kind.replace("-", " ").capitalize(),
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:request:{request_id}",
    }
    if error.errors:
        content["errors"] = list(error.errors)
    return Response(
        orjson.dumps(content), error.status, headers=error.headers, media_type=MEDIA_TYPE
    )


def not_json(cause: str) -> ProblemError:
    """Return the problem of a body that is not JSON.

    Args:
        cause: Where it breaks, in the parser's words; nothing of the body, which can hold secrets.
    """
    detail = f"the body is not valid JSON: {cause}"
    return ProblemError(400, detail, kind="not-json")


def too_many(detail: str, *, kind: str, retry_after: float = 1.0) -> ProblemError:
    """Say that a limit is reached, and when to come again (in seconds)."""
    again = str(max(1, round(retry_after)))
    return ProblemError(429, detail, kind=kind, headers={"Retry-After": again})


def unavailable(detail: str) -> ProblemError:
    """Say that a part of the service is not there at the moment."""
    return ProblemError(503, detail, kind="unavailable", headers={"Retry-After": "1"})
