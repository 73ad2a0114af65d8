"""Idempotency keys: a POST that is sent again does not happen again."""

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
from transaction_tracker.store.access import Answer, find_answer, keep_answer

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Idempotency:
    """Answer a POST that came before under the same key as it was answered then.

    Kept for 24 hours: answers that say that something was done. They are written before
    they are sent. Should the program die between doing and writing, the repeat is done
    again; registering a transaction again changes nothing.

    Args:
        app: What answers.
        excluded: Paths whose answers hold secrets that must be stored nowhere.

    Source:
        IETF draft-ietf-httpapi-idempotency-key-header.
    """

    def __init__(self, app: ASGIApp, excluded: frozenset[str]) -> None:
        self._app = app
        self._excluded = excluded
        self._under_way: set[tuple[str, str]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        key = Headers(scope=scope).get("idempotency-key")
        if scope["method"] != "POST" or key is None:
            await self._app(scope, receive, send)
            return
        self._check(key, scope["path"])
        principal: Principal = scope["state"]["principal"]
        place = (principal.id, key)
        if place in self._under_way:
            detail = "a request with this Idempotency-Key is under way; wait for its answer"
            raise ProblemError(409, detail, kind="idempotency-conflict")
        self._under_way.add(place)
        try:
            await self._once(place, scope, receive, send)
        finally:
            self._under_way.discard(place)

    def _check(self, key: str, path: str) -> None:
        if path in self._excluded:
            detail = "no Idempotency-Key here: the answer holds a secret, which is not stored"
            raise ProblemError(400, detail, errors=[_fault(detail)])
        if not _KEY.fullmatch(key):
            detail = "Idempotency-Key must be 1 to 255 visible ASCII characters"
            raise ProblemError(400, detail, errors=[_fault(detail)])

    async def _once(
        self, place: tuple[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = (await receive()).get("body", b"")
        print_ = _fingerprint(scope, body)
        before = await Store.run(partial(find_answer, owner=place[0], key=place[1]))
        if before is None:
            recorder = Recorder(print_)
            await self._app(scope, replay(body, receive), recorder)
            await recorder.finish(place, send)
        elif before.fingerprint == print_:
            await _repeat(before)(scope, receive, send)
        else:
            detail = "this Idempotency-Key came with another request; use a new key for each"
            raise ProblemError(422, detail, kind="idempotency-key-reuse")


class Recorder:
    """Holds an answer back until it is stored.

    Args:
        fingerprint: Of the request that it answers.
    """

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        self._messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        """Take a part of the answer."""
        self._messages.append(message)

    async def finish(self, place: tuple[str, str], send: Send) -> None:
        """Store the answer if something was done, and send it."""
        start, *rest = self._messages
        if start["status"] < 300:
            answer = Answer(
                self._fingerprint,
                start["status"],
                Headers(raw=start["headers"]).get("content-type", ""),
                b"".join(message.get("body", b"") for message in rest),
            )
            owner, key = place
            await Store.run(partial(keep_answer, owner=owner, key=key, answer=answer))
        for message in self._messages:
            await send(message)


def _repeat(answer: Answer) -> Response:
    headers = {"Idempotent-Replayed": "true"}
    if answer.media_type:
        headers["Content-Type"] = answer.media_type
    return Response(answer.body, answer.status, headers=headers)


def _fingerprint(scope: Scope, body: bytes) -> str:
    request = (scope["method"].encode(), scope["path"].encode(), scope["query_string"], body)
    # Lengths first: no two requests run into the same bytes.
    framed = b"".join(b"%d:%b" % (len(part), part) for part in request)
    return hashlib.sha256(framed).hexdigest()


def _fault(detail: str) -> dict[str, str]:
    return {"detail": detail, "header": "Idempotency-Key"}
