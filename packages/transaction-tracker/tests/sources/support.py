"""A node that answers whatever the test says."""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

Answer = Callable[[Any], Any]
# Each part of an address has a secret of its own: with one for all of them, a part that nobody
# takes out of a text would be taken out by the rule for another part.
SECRETS = (USER, PASSWORD, PATH, QUERY) = (
    "s3cret-user-key",
    "s3cret-password",
    "s3cret-path-key",
    "s3cret-query-key",
)
SECRET = PATH


class ScriptedNode:
    """Answers each HTTP request by what ``answer`` gives: JSON, bytes, or a whole response."""

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
    """The same result for every call, alone or in a batch."""
    if isinstance(request, list):
        return [result(one, value) for one in request]
    return {"jsonrpc": "2.0", "id": request["id"], "result": value}


def refusal(request: Any, code: int, message: str) -> Any:
    """The same error for every call, alone or in a batch."""
    if isinstance(request, list):
        return [refusal(one, code, message) for one in request]
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}
