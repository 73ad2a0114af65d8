"""A node with scripted responses."""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

Answer = Callable[[Any], Any]
# Each part of the URL has its own secret: with a common one, the rule for one part would hide that
# another part is not redacted.
SECRETS = (USER, PASSWORD, PATH, QUERY) = (
    "s3cret-user-key",
    "s3cret-password",
    "s3cret-path-key",
    "s3cret-query-key",
)
SECRET = PATH


class ScriptedNode:
    """Responds to HTTP requests with what ``answer`` returns: JSON, bytes or a whole response."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: result(request, None)
        self.url = ""
        self.received: list[Any] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.received.append(body)
        answer = self.answer(body)
        if isinstance(answer, web.StreamResponse):
            return answer
        content = answer if isinstance(answer, bytes) else orjson.dumps(answer)
        return web.Response(body=content, content_type="application/json")


def result(request: Any, value: object) -> Any:
    """Return the same result for each call, alone or in a batch."""
    if isinstance(request, list):
        return [result(call, value) for call in request]
    return {"jsonrpc": "2.0", "id": request["id"], "result": value}


def refusal(request: Any, code: int, message: str) -> Any:
    """Return the same error for each call, alone or in a batch."""
    if isinstance(request, list):
        return [refusal(call, code, message) for call in request]
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}
