"""JSON-RPC over HTTP: one request or a batch, with a deadline and a size limit."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from transaction_tracker.sources.errors import (
    MalformedError,
    RateLimitedError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum.classify import http_error, rpc_error
from transaction_tracker.sources.ethereum.url import SecretUrl

DEADLINE_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 2**20
BATCH_SIZE = 100
_LONGEST_MESSAGE = 200


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a method."""

    method: str
    params: tuple[object, ...] = ()


class RpcClient:
    """Asks one node.

    Args:
        url: Where the node listens.
        deadline: Seconds that one HTTP request may take in all.
        max_answer_bytes: A longer answer is cut off and refused.
        batch_size: Calls in one HTTP request; halved whenever the node refuses a batch.
    """

    def __init__(
        self,
        url: SecretUrl,
        *,
        deadline: float = DEADLINE_SECONDS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.url = url
        self.requests = 0
        self._deadline = deadline
        self._max_answer_bytes = max_answer_bytes
        self._batch_size = batch_size
        self._session: aiohttp.ClientSession | None = None

    async def call(self, method: str, *params: object) -> Any:
        """Call one method and return its result.

        Raises:
            SourceError: There is none; the class says why.
        """
        answer = await self._post(_envelope(0, Request(method, params)))
        result = self._result(self._numbered(answer, 1)[0])
        if isinstance(result, SourceError):
            raise result
        return result

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Call many methods, in as few requests as the node allows.

        Returns:
            For each call its result, or the ``SourceError`` that it met alone.

        Raises:
            SourceError: The whole batch got no answer.
        """
        results: list[Any] = []
        while len(results) < len(requests):
            start = len(results)
            results += await self._batch(requests[start : start + self._batch_size])
        return results

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _batch(self, requests: Sequence[Request]) -> list[Any]:
        if len(requests) == 1:
            answer = await self._post(_envelope(0, requests[0]))
            return [self._result(self._numbered(answer, 1)[0])]
        body = [_envelope(index, request) for index, request in enumerate(requests)]
        answers = await self._post(body)
        if isinstance(answers, dict):
            # One answer to many calls: the batch itself is refused, too long perhaps.
            return self._refused(answers, len(requests))
        return [self._result(answer) for answer in self._numbered(answers, len(requests))]

    def _refused(self, answer: dict[str, Any], size: int) -> list[Any]:
        error = self._result(answer)
        if isinstance(error, RateLimitedError):
            raise error
        self._batch_size = max(1, size // 2)
        return []

    def _numbered(self, answers: Any, count: int) -> list[dict[str, Any]]:
        """Put answers, which may come in any order, into that of their requests."""
        answers = answers if isinstance(answers, list) else [answers]
        by_id = {answer.get("id"): answer for answer in answers if isinstance(answer, dict)}
        if count == 1 and None in by_id and "error" in by_id[None]:
            return [by_id[None]]  # a request that the node could not even read has no id
        if len(answers) != count or by_id.keys() != set(range(count)):
            raise self._about(MalformedError("the answers do not match the requests"))
        return [by_id[index] for index in range(count)]

    def _result(self, answer: dict[str, Any]) -> Any:
        error = answer.get("error")
        if error is None:
            if "result" in answer:
                return answer["result"]
            return self._about(MalformedError("an answer has neither result nor error"))
        code = error.get("code") if isinstance(error, dict) else None
        message = error.get("message") if isinstance(error, dict) else error
        return self._about(rpc_error(code if isinstance(code, int) else 0, self._safe(message)))

    def _safe(self, message: object) -> str:
        """Make one short line without secrets of what the node says."""
        text = self.url.redact(str(message))[:_LONGEST_MESSAGE]
        return "".join(letter if letter.isprintable() else " " for letter in text)

    async def _post(self, body: object) -> Any:
        self.requests += 1
        try:
            async with asyncio.timeout(self._deadline):
                return self._parsed(await self._exchange(orjson.dumps(body)))
        # ``from None``, here and below: aiohttp's errors print the whole URL.
        except TimeoutError:
            message = f"no answer within {self._deadline:g} s"
            raise self._about(TransportError(message)) from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._about(TransportError(_without_url(error))) from None

    async def _exchange(self, body: bytes) -> bytes:
        session = self._open()
        async with session.post(self.url.reveal(), data=body, allow_redirects=False) as response:
            if response.status != 200:
                raise self._about(http_error(response.status, response.headers.get("Retry-After")))
            return await self._read(response.content)

    async def _read(self, content: aiohttp.StreamReader) -> bytes:
        received = bytearray()
        async for chunk in content.iter_any():
            received += chunk
            if len(received) > self._max_answer_bytes:
                message = f"the answer is longer than {self._max_answer_bytes} bytes"
                raise self._about(MalformedError(message))
        return bytes(received)

    def _parsed(self, body: bytes) -> Any:
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise self._about(MalformedError("the answer is no JSON")) from None
        if not isinstance(answer, dict | list):
            raise self._about(MalformedError("the answer is no JSON-RPC"))
        return answer

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _about(self, error: SourceError) -> SourceError:
        """Say in an error which node it is about."""
        error.args = (f"{self.url}: {error}",)
        return error


def _envelope(number: int, request: Request) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": request.method, "params": request.params}


def _without_url(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.os_error.strerror or error.os_error}"
    return f"the connection failed: {type(error).__name__}"
