"""JSON-RPC client of one node, over HTTP: single calls and batches."""

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from transaction_tracker.domain import BlockRef, KeptChain
from transaction_tracker.slices import run_in_slices
from transaction_tracker.sources.batching import BatchSize
from transaction_tracker.sources.errors import (
    LateError,
    MalformedError,
    RateLimitedError,
    SourceError,
    TooLongError,
)
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.classify import (
    BatchRefusedError,
    is_too_long,
    may_be_the_batch,
    rpc_error,
)
from transaction_tracker.sources.ethereum.http import Http
from transaction_tracker.sources.ethereum.identity import identity
from transaction_tracker.sources.ethereum.rpc import (
    ABOUT_TRANSACTIONS,
    Dissent,
    Identity,
    NodeResults,
    Request,
)
from transaction_tracker.sources.ethereum.url import SecretUrl
from transaction_tracker.sources.rate_limiter import RateLimiter

DEADLINE_SECONDS = 10.0
MAX_ANSWER_BYTES = 64 * 2**20
BATCH_SIZE = 100
_MAX_MESSAGE_CHARACTERS = 200
# Longer than a hash: a node repeats the raw transaction that it refuses.
_LONG_HEXADECIMAL = re.compile("(?:0x)?[0-9a-fA-F]{65,}")


class RpcClient:
    """Client of one node; implements ``Rpc``.

    Args:
        url: URL of the node.
        deadline: Maximum duration of one HTTP request in seconds, with its wait for the rate limit.
        max_answer_bytes: Maximum size of a response; a longer one is refused.
        batch_size: Maximum number of calls in one HTTP request; lowered while the node refuses
            that many.
        limiter: Rate limit of the node. Default: at most 8 requests in flight.
    """

    def __init__(
        self,
        url: SecretUrl,
        *,
        deadline: float = DEADLINE_SECONDS,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        batch_size: int = BATCH_SIZE,
        limiter: RateLimiter | None = None,
    ) -> None:
        self.url = url
        self.requests: int = 0
        self._deadline = deadline
        self._limiter = limiter or RateLimiter()
        self._size = BatchSize(min(batch_size, self._limiter.burst or batch_size))
        self._refusal: str | None = None
        self._http = Http(url, max_answer_bytes)

    @property
    def calls_per_request(self) -> int:
        """Number of calls in the next HTTP request; 1 while the node refuses batches."""
        return self._size.size

    @property
    def is_compared(self) -> bool:
        """False, because there is no other node."""
        return False

    def __str__(self) -> str:
        return str(self.url)

    def __repr__(self) -> str:
        return f"RpcClient({str(self.url)!r})"

    def height_request(self) -> Request:
        """Return the request for the height of the head, which each node answers."""
        return Request("eth_blockNumber", (), lambda value: fields.height(value, "head"))

    def place_request(self, height: int | None = None) -> Request:
        """Return the request for the link of the canonical block at a height, or of the head."""
        name = "latest" if height is None else hex(height)
        return Request("eth_getBlockByNumber", (name, False), decode.link)

    def place_by_hash_request(self, block_hash: str) -> Request:
        """Return the request for the link of a block."""
        return Request("eth_getBlockByHash", (block_hash, False), decode.link)

    @property
    def addresses(self) -> Mapping[str, str]:
        """Host and port of this node."""
        return {str(self): self.url.authority}

    async def identity(
        self, at: int | None = None, *, expected: BlockRef | None = None
    ) -> Identity:
        """Fetch the identity of the node's chain, at each call.

        Args:
            at: Height of the anchor. Default: block 0, or if the node has pruned it, an early
                block that the node has.
            expected: Not used, because there is no other node to compare with.

        Raises:
            SourceError: The node gives no usable response.
        """
        del expected
        return await identity(self, at)

    async def call(self, method: str, *params: object) -> Any:
        """Call one method and return its result.

        Raises:
            SourceError: There is no result; the class names the cause.
        """
        (result,) = await self._ask([Request(method, params)])
        if isinstance(result, SourceError):
            raise result
        return result

    async def seek(self, method: str, *params: object) -> Any:
        """Call one method; there is no other node to fail over to."""
        return await self.call(method, *params)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Call many methods, in as few HTTP requests as the node allows.

        Returns:
            For each call its result, or its own ``SourceError``.

        Raises:
            SourceError: The whole batch failed.
        """
        results: list[Any] = []
        while len(results) < len(requests):
            start = len(results)
            try:
                results += await self._batch(requests[start : start + self._size.size])
            except RateLimitedError as error:
                if not results:
                    raise
                # Earlier responses are complete: only the rest of the calls gets the error.
                results += [error] * (len(requests) - start)
        return results

    async def batch_without_failover(self, requests: Sequence[Request]) -> NodeResults:
        """Call many methods; an error of the whole batch is the result of each call."""
        try:
            results = await self.batch(requests)
        except SourceError as error:
            results = [error] * len(requests)
        return NodeResults(str(self), dict(zip(requests, results, strict=True)))

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        """Call many methods at this node, which is the only one."""
        return [await self.batch(requests)]

    async def versions(self, request: Request) -> Mapping[str, Any]:
        """Return no versions, because there is no other node to compare with."""
        del request
        return {}

    async def each(self, requests: Mapping[str, Sequence[Request]]) -> Mapping[str, Sequence[Any]]:
        """Call many methods at this node, whatever names the caller gives."""
        return {name: await self.batch(own) for name, own in requests.items()}

    def blame(self, node: str, number: int) -> None:
        """Do nothing, because there is no other node to use instead."""

    def left_out(self, node: str, number: int) -> None:
        """Do nothing, because there is no other node to use instead."""

    async def elsewhere(self, requests: Sequence[Request]) -> list[Any]:
        """Return ``None`` for each request: there is no other node."""
        return [None] * len(requests)

    async def one_other(self, requests: Sequence[Request]) -> list[Any]:
        """Return ``None`` for each request: there is no other node."""
        return [None] * len(requests)

    def follows(self, chain: KeptChain) -> None:
        """Do nothing, because there is no other node to compare with."""

    async def dissent(
        self,
        chain: KeptChain,
        blocks: Collection[BlockRef],
        requests: Sequence[Request] = (),
        known: NodeResults | None = None,
    ) -> Dissent:
        """Return no dissent, because the chain is this node's own."""
        del chain, blocks
        if not requests:
            return Dissent()
        known = known or NodeResults(str(self))
        results = await self.batch(known.missing(requests))
        return Dissent(answers={str(self): known.completed(requests, results)})

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""
        await self._http.close()

    async def _batch(self, requests: Sequence[Request]) -> list[Any]:
        """Send one batch; return no results if the caller must retry with a shorter batch."""
        try:
            results = await self._ask(requests)
        except LateError:
            self._size.late(len(requests))
            raise
        except SourceError as error:
            if len(requests) == 1:
                self._refused_alone(error)
                raise
            if not self._may_be_the_batch(error):
                raise
            return self._refused(len(requests), error)
        if len(requests) > 1:
            results = await self._without_refusals(requests, results)
        return self._up_to_too_long(results)

    def _may_be_the_batch(self, error: SourceError) -> bool:
        too_long = isinstance(error, TooLongError)
        return too_long or may_be_the_batch(error, took_batches=self._size.accepted)

    def _refused(self, sent: int, error: SourceError) -> list[Any]:
        self._refusal = str(error)
        self._size.refused(sent)
        return []

    def _refused_alone(self, error: SourceError) -> None:
        # A single call fails like the batch before: the length of the batch was not the reason.
        # Without this, a node that recovers would get no batches for a long time.
        if str(error) == self._refusal and not isinstance(error, TooLongError):
            self._size.refused_alone()
        self._refusal = None

    async def _without_refusals(self, requests: Sequence[Request], results: list[Any]) -> list[Any]:
        """Repeat each call alone that the node refuses in a batch."""
        refused = [at for at, item in enumerate(results) if isinstance(item, BatchRefusedError)]
        if refused and len(refused) == len(results):
            return self._refused(len(results), results[0])
        for at in refused:
            try:
                (results[at],) = await self._ask([requests[at]])
            except SourceError as error:
                results[at] = error
        return results

    def _up_to_too_long(self, results: list[Any]) -> list[Any]:
        """Return the results before the call at which the response became too long."""
        cut = next((at for at, item in enumerate(results) if is_too_long(item)), None)
        if not cut:  # no such call, or the first result alone is too long
            if results:
                self._size.answered(len(results))
            return results
        self._size.refused(len(results))
        return results[:cut]

    async def _ask(self, requests: Sequence[Request]) -> list[Any]:
        """Send calls in one HTTP request, and return the results in the order of the calls."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._deadline
        try:
            await self._limiter.acquire(len(requests), self._deadline)
            try:
                return await self._exchange(requests, max(0.0, due - loop.time()))
            finally:
                self._limiter.release()
        except SourceError as error:
            raise self._about(error) from None

    async def _exchange(self, requests: Sequence[Request], seconds: float) -> list[Any]:
        body: Any = [_envelope(index, request) for index, request in enumerate(requests)]
        self.requests += 1
        try:
            answer = await self._http.post(body if len(body) > 1 else body[0], seconds)
            results = self._results(answer, len(requests))
        except RateLimitedError as error:
            self._limiter.refused(error.retry_after)
            raise
        self._listen(requests, results)
        values = [
            await run_in_slices(request.steps(result))
            for request, result in zip(requests, results, strict=True)
        ]
        for value in values:
            if isinstance(value, SourceError):
                self._about(value)
        return values

    def _listen(self, requests: Sequence[Request], results: list[Any]) -> None:
        """Pause requests if the node limits every call, and not only a call about a transaction.

        The limit of a single call can be about that call, such as a method that is billed
        separately: with a pause for it, one transaction would stop all others.
        """
        limits = [error for error in results if isinstance(error, RateLimitedError)]
        if len(limits) < len(results):
            self._limiter.accepted()
        elif len(requests) > 1 or requests[0].method not in ABOUT_TRANSACTIONS:
            self._limiter.refused(limits[0].retry_after)

    def _results(self, answer: Any, count: int) -> list[Any]:
        if count > 1 and (refusal := _only_answer(answer)) is not None:
            raise self._batch_refused(refusal)
        return [self._result(item) for item in _numbered(answer, count)]

    def _batch_refused(self, answer: dict[str, Any]) -> SourceError:
        """Return the error for a single response to many calls: the node refuses the batch."""
        error = self._result(answer)
        if isinstance(error, MalformedError) or not isinstance(error, SourceError):
            return BatchRefusedError("one response to many calls", code=0)
        return error

    def _result(self, answer: dict[str, Any]) -> Any:
        error = answer.get("error")
        if error is None:
            if "result" in answer:
                return answer["result"]
            return MalformedError("an answer has neither result nor error")
        found = error if isinstance(error, dict) else {"message": error}
        code = found.get("code")
        message, data = self._safe(found.get("message")), found.get("data")
        data = self._redact(data) if isinstance(data, str) else data
        return rpc_error(code if type(code) is int else 0, message, data)

    def _redact(self, text: str) -> str:
        """Return a text of the node without our credentials, which it can repeat."""
        return self.url.redact(text)

    def _safe(self, message: object) -> str:
        """Return the node's message as one short line without secrets."""
        text = _LONG_HEXADECIMAL.sub("0x…", self._redact(str(message)))[:_MAX_MESSAGE_CHARACTERS]
        return "".join(letter if letter.isprintable() else " " for letter in text)

    def _about(self, error: SourceError) -> SourceError:
        """Add the node's name to an error."""
        error.args = (f"{self.url}: {error}",)
        return error


def _envelope(number: int, request: Request) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": request.method, "params": request.params}


def _only_answer(answer: Any) -> dict[str, Any] | None:
    """Return the single response to many calls, if it is an error object.

    Source:
        JSON-RPC 2.0, "Batch": an unreadable batch gets one object. geth and Erigon respond to
        a batch that is too long with an array of one error, with the id of the first call.
    """
    if isinstance(answer, list) and len(answer) == 1:
        only = answer[0]
        return only if isinstance(only, dict) and only.get("error") is not None else None
    return answer if isinstance(answer, dict) else None


def _numbered(answers: Any, count: int) -> list[dict[str, Any]]:
    """Return the responses in the order of their requests; they can arrive in any order."""
    answers = answers if isinstance(answers, list) else [answers]
    found = [answer for answer in answers if isinstance(answer, dict)]
    if count == 1 and len(found) == len(answers) == 1 and found[0].get("error") is not None:
        # The error for an unreadable request has no id; Burrow (issue 271) sends "" instead.
        return found
    # The type is checked: a list is not hashable, and True is equal to 1.
    by_id = {answer["id"]: answer for answer in found if type(answer.get("id")) is int}
    if len(answers) != count or by_id.keys() != set(range(count)):
        raise MalformedError("the answers do not match the requests")
    return [by_id[index] for index in range(count)]
