"""JSON-RPC client of one node of Bitcoin Core."""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn

from transaction_tracker.domain import BlockRef, Link
from transaction_tracker.slices import Steps
from transaction_tracker.sources.answers import FetchedBlock
from transaction_tracker.sources.bitcoin import fields, raw
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    NotYetError,
    SourceError,
    TransportError,
)
from transaction_tracker.sources.ethereum.client import (
    BATCH_SIZE,
    DEADLINE_SECONDS,
    RpcClient,
)
from transaction_tracker.sources.ethereum.http import Http
from transaction_tracker.sources.ethereum.rpc import Identity, Request
from transaction_tracker.sources.ethereum.url import MIN_KEY_CHARACTERS, SecretUrl
from transaction_tracker.sources.rate_limiter import RateLimiter

MAX_ANSWER_BYTES = 64 * 2**20
MAX_COOKIE_BYTES = 1_000

# Error codes of Bitcoin Core.
_NOT_FOUND = -5
_INVALID_PARAMETER = -8
_IN_WARMUP = -28


class NotIndexedError(ApplicationError):
    """The transaction is not in the node's mempool, and the node has no index of transactions.

    So the node cannot say whether a block has the transaction.
    """


@dataclass(frozen=True, slots=True)
class Chained(Request):
    """Call whose result leads to another call of the same node.

    Attributes:
        then: Returns the next request, or the result itself if no other call is needed. It gets
            the result of the first call, as ``read`` returns it.
    """

    then: Callable[[Any], Any] = field(default=lambda result: result, compare=False)


class BitcoinClient(RpcClient):
    """Client of one node of Bitcoin Core; implements ``Rpc``.

    What the node does not have (error -5) is ``None``. Numbers with a decimal point are exact.

    Args:
        url: URL of the node, with user and password unless they are in a file.
        cookie_file: File with the user and the password, written by the node.
        deadline: Maximum duration of one HTTP request in seconds.
        batch_size: Maximum number of calls in one HTTP request.
        limiter: Rate limit of the node.
    """

    def __init__(
        self,
        url: SecretUrl,
        *,
        cookie_file: Path | None = None,
        deadline: float = DEADLINE_SECONDS,
        batch_size: int = BATCH_SIZE,
        limiter: RateLimiter | None = None,
    ) -> None:
        super().__init__(url, deadline=deadline, batch_size=batch_size, limiter=limiter)
        self._cookie_file = cookie_file
        self._credentials = _of_url(url)
        self._http = Http(url, MAX_ANSWER_BYTES, loads=_exact, authorization=self._sign_in)

    async def identity(
        self, at: int | None = None, *, expected: BlockRef | None = None
    ) -> Identity:
        """Fetch the network and the first block, which also a pruned node has.

        Source:
            ``getblockchaininfo`` and ``getblockhash``.
        """
        del at, expected
        info, genesis = await self.batch(
            [Request("getblockchaininfo", (), fields.network_name), genesis_request()]
        )
        for result in (info, genesis):
            if isinstance(result, SourceError):
                raise result
        return Identity(info, BlockRef(0, genesis))

    def height_request(self) -> Request:
        """Return the request for the height of the head."""
        return Request("getblockcount", (), lambda value: fields.height(value, "head"))

    def place_request(self, height: int | None = None) -> Request:
        """Return the request for the link of the canonical block at a height, or of the head."""
        if height is None:
            return Chained("getbestblockhash", (), fields.block_hash, then=link_request)
        return at_request(height)

    def place_by_hash_request(self, block_hash: str) -> Request:
        """Return the request for the link of a block."""
        return link_request(block_hash)

    def _sign_in(self) -> str | None:
        """Return the header for a cookie file; aiohttp sends the user and password of a URL."""
        if self._cookie_file is None:
            return None
        self._credentials = _read_cookie(self._cookie_file)
        return f"Basic {b64encode(self._credentials).decode()}"

    def _redact(self, text: str) -> str:
        """Return a text without the user and password, also as the header has them."""
        plain, (_, _, password) = self._credentials, self._credentials.partition(b":")
        for secret in (b64encode(plain), plain, password):
            if len(secret) >= MIN_KEY_CHARACTERS:
                text = text.replace(secret.decode("latin-1"), "…")
        return super()._redact(text)

    async def _ask(self, requests: Sequence[Request]) -> list[Any]:
        results = await super()._ask(requests)
        nexts: dict[int, Request] = {}
        for at, (request, result) in enumerate(zip(requests, results, strict=True)):
            if isinstance(request, Chained) and not (
                result is None or isinstance(result, SourceError)
            ):
                results[at] = request.then(result)
                if isinstance(results[at], Request):
                    nexts[at] = results[at]
        if nexts:
            more = await self._ask(list(nexts.values()))
            for at, result in zip(nexts, more, strict=True):
                results[at] = result
        return results

    def _result(self, answer: dict[str, Any]) -> Any:
        result, error = super()._result(answer), answer.get("error")
        if not isinstance(result, SourceError) or not isinstance(error, dict):
            return result
        words, code = str(result), error.get("code")
        if code == _IN_WARMUP or "still in the process of being indexed" in words:
            return NotYetError(words)
        if code == _INVALID_PARAMETER and "height out of range" in words:
            return None
        # The first reward is in block 0, although no node shows it.
        is_told = "in the provided block" in words or "genesis block coinbase" in words
        if code != _NOT_FOUND or is_told:
            return result
        if "-txindex" in words:
            return NotIndexedError("it has no index of transactions (txindex)", _NOT_FOUND)
        return None


# -- Requests


def genesis_request() -> Request:
    """Return the request for the hash of the first block."""
    return Request("getblockhash", (0,), fields.block_hash)


def link_request(block_hash: str) -> Request:
    """Return the request for the link of a block.

    Source:
        ``getblockheader``.
    """

    def read(value: Any) -> Link:
        link = fields.link(value)
        if link.hash != block_hash:
            raise MalformedError(f"block {link.hash} came for block {block_hash}")
        return link

    return Request("getblockheader", (block_hash,), read)


def at_request(height: int) -> Request:
    """Return the request for the link of the canonical block at a height."""

    def then(block_hash: str) -> Request:
        request = link_request(block_hash)

        def read(value: Any) -> Link:
            link: Link = request.read(value) if request.read else value
            if link.number != height:
                raise MalformedError(f"block {link.number} came for block {height}")
            return link

        return Request(request.method, request.params, read)

    return Chained("getblockhash", (height,), fields.block_hash, then=then)


def block_request(ref: BlockRef) -> Request:
    """Return the request for a block with its transactions, which its hash proves.

    Source:
        ``getblock`` with verbosity 0.
    """

    def read(value: Any) -> Steps[FetchedBlock]:
        found = yield from raw.block_steps(raw.from_hex(value, f"block {ref.number}"))
        if found.header.hash != ref.hash:
            raise MalformedError(f"block {found.header.hash} came for block {ref.hash}")
        return fetched(ref.number, found)

    return Request("getblock", (ref.hash, 0), read)


def block_at_request(height: int) -> Request:
    """Return the request for the canonical block at a height."""

    def then(block_hash: str) -> Request:
        return block_request(BlockRef(height, block_hash))

    return Chained("getblockhash", (height,), fields.block_hash, then=then)


def fetched(number: int, block: raw.RawBlock) -> FetchedBlock:
    """Return a block in the form of all sources."""
    slots = {coin: each.id for each in block.transactions for coin in each.spent}
    return FetchedBlock(
        Link(number, block.header.hash, block.header.parent),
        {each.id: at for at, each in enumerate(block.transactions)},
        slots,
        block.transactions,
        time=block.header.time,
    )


# -- JSON and credentials


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def _exact(text: bytes) -> Any:
    """Parse JSON with exact decimals: a binary fraction is not the amount that was written."""
    return _DECODER.decode(text.decode())


def _of_url(url: SecretUrl) -> bytes:
    """Return the user and the password of a URL."""
    whole = url.reveal()
    return f"{whole.user or ''}:{whole.password or ''}".encode()


def _read_cookie(path: Path) -> bytes:
    """Return the user and the password in a file.

    Raises:
        TransportError: The file cannot be read, or has another form. The error has no secret.
    """
    try:
        with path.open("rb") as file:
            line = file.read(MAX_COOKIE_BYTES + 1).strip()
    except OSError as error:
        raise TransportError(f"could not read cookie_file {path}: {error.strerror}") from None
    if len(line) > MAX_COOKIE_BYTES or b":" not in line or len(line.split()) != 1:
        raise TransportError(f"cookie_file {path} must have one line, USER:PASSWORD")
    return line
