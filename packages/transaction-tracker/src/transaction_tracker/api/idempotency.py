"""Idempotency keys: a repeated POST is executed once."""

import hashlib
import re
from functools import partial

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transaction_tracker.api.access import Principal
from transaction_tracker.api.bodies import replay
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.store import Store
from transaction_tracker.store.access import StoredResponse, find_answer, keep_answer

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Idempotency:
    """Middleware: return the stored response to a POST repeated with the same key.

    Successful responses are stored for 24 hours, before they are sent. If the program is killed
    between the operation and the storing of its response, a repeated request executes the
    operation again; for a registration, that has no effect.

    Args:
        app: Inner application.
        excluded: Paths whose responses contain secrets that must not be stored.

    Source:
        IETF draft-ietf-httpapi-idempotency-key-header.
    """

    def __init__(self, app: ASGIApp, excluded: frozenset[str]) -> None:
        self._app = app
        self._excluded = excluded
        self._in_progress: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        key = Headers(scope=scope).get("idempotency-key")
        if scope["method"] != "POST" or key is None:
            await self._app(scope, receive, send)
            return
        self._check(key, scope["path"])
        principal: Principal = scope["state"]["principal"]
        place = (principal.id, key)
        if place in self._in_progress:
            detail = "a request with this Idempotency-Key is in progress; wait for its response"
            raise ProblemError(409, detail, kind="idempotency-conflict")
        self._in_progress.add(place)
        try:
            await self._once(place, scope, receive, send)
        finally:
            self._in_progress.discard(place)

    def _check(self, key: str, path: str) -> None:
        if path in self._excluded:
            detail = "this path accepts no Idempotency-Key: its response contains a secret"
            raise ProblemError(400, detail, errors=[_error_detail(detail)])
        if not _KEY.fullmatch(key):
            detail = "Idempotency-Key must be 1 to 255 visible ASCII characters"
            raise ProblemError(400, detail, errors=[_error_detail(detail)])

    async def _once(
        self, place: tuple[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = (await receive()).get("body", b"")
        fingerprint = _fingerprint(scope, body)
        before = await Store.run(partial(find_answer, owner=place[0], key=place[1]))
        if before is None:
            recorder = ResponseRecorder(fingerprint)
            await self._app(scope, replay(body, receive), recorder)
            await recorder.finish(place, send)
        elif before.fingerprint == fingerprint:
            await _repeat(before)(scope, receive, send)
        else:
            detail = "this Idempotency-Key was used with a different request; use a new key"
            raise ProblemError(422, detail, kind="idempotency-key-reuse")


class ResponseRecorder:
    """Buffer of a response that is sent after it is stored.

    Args:
        fingerprint: Fingerprint of the request.
    """

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self._messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        """Add a part of the response."""
        self._messages.append(message)

    async def finish(self, place: tuple[str, str], send: Send) -> None:
        """Store the response if it is successful, and send it."""
        start, *rest = self._messages
        if start["status"] < 300:
            answer = StoredResponse(
                self._fingerprint,
                start["status"],
                Headers(raw=start["headers"]).get("content-type", ""),
                b"".join(message.get("body", b"") for message in rest),
            )
            owner, key = place
            await Store.run(partial(keep_answer, owner=owner, key=key, answer=answer))
        for message in self._messages:
            await send(message)


def _repeat(answer: StoredResponse) -> Response:
    headers = {"Idempotent-Replayed": "true"}
    if answer.media_type:
        headers["Content-Type"] = answer.media_type
    return Response(answer.body, answer.status, headers=headers)


def _fingerprint(scope: Scope, body: bytes) -> str:
    request = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
    # With the length of each part, two different requests cannot give the same bytes.
    framed = b"".join(b"%d:%b" % (len(part), part) for part in request)
    return hashlib.sha256(framed).hexdigest()


def _error_detail(detail: str) -> dict[str, str]:
    return {"detail": detail, "header": "Idempotency-Key"}
