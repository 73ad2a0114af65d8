"""RPC requests: what they ask for, and what their results say about the provider."""

from collections.abc import Sequence
from typing import Any

from transaction_tracker.domain import Link
from transaction_tracker.providers.health import BlockPart, error_class
from transaction_tracker.sources import MalformedError, SourceError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.ethereum.client import RpcClient
from transaction_tracker.sources.ethereum.rpc import ABOUT_TRANSACTIONS, Request

# Errors that concern the whole request, and that another provider may not have.
_PROVIDER_ERRORS = ("transport", "rate_limit", "server")
# Prefixes of the methods that change nothing: they can be sent to any provider, and repeatedly.
_READS = (
    *("eth_get", "eth_call", "eth_blockNumber", "eth_chainId", "eth_gasPrice", "eth_feeHistory"),
    *("getb", "getm", "getr", "gett"),  # of Bitcoin Core
)
# Methods for the head, and for other blocks.
_HEADS = ("eth_blockNumber", "getblockcount", "getbestblockhash")
_BLOCKS = (
    *("eth_getBlockByNumber", "eth_getBlockByHash"),
    *("getblockhash", "getblockheader", "getblock"),
)


def is_read(request: Request) -> bool:
    """Return whether a request can be sent to several providers, and more than once."""
    return request.method.startswith(_READS)


def block_part(request: Request) -> BlockPart | None:
    """Return which part of a block a request asks for; ``None`` for another request."""
    method, params = request.method, request.params
    if method in _HEADS or (method == "eth_getBlockByNumber" and params[:1] == ("latest",)):
        return "head"
    if method not in _BLOCKS:
        return None
    return "whole" if params[1:2] == (True,) or method == "getblock" else "place"


def about_transactions(requests: Sequence[Request]) -> bool:
    """Return whether all requests are about single transactions."""
    return all(request.method in ABOUT_TRANSACTIONS for request in requests)


def probe_requests(client: RpcClient, height: int | None) -> list[Request]:
    """Return the requests for a provider's head and for its block at ``height``, if given."""
    heights = [None] if height is None else [None, height]
    return [client.place_request(at) for at in heights]


def head_of(result: Any) -> Link | int | None:
    """Return the head in a result: its place in the chain, or only its height.

    Args:
        result: A block as the node wrote it, a height, or a decoded value that has a ``link``.

    Raises:
        MalformedError: ``result`` is neither of these.
    """
    if result is None or isinstance(result, Link):
        return result
    link = getattr(result, "link", None)
    if isinstance(link, Link):
        return link
    if not isinstance(result, dict):
        return fields.height(result, "head")
    try:
        return decode.link(result)
    except MalformedError:
        return fields.height(result.get("number"), "head")


def common_failure(requests: Sequence[Request], results: Sequence[Any]) -> SourceError | None:
    """Return the first error if all requests failed and it is about the provider.

    Unreadable results are not about the provider as a whole: they are counted one by one. A rate
    limit is, unless another call of the same request got a result; see ``calls.ask``.

    Source:
        OpenZeppelin Relayer#681: every node answered "internal error" (-32603) for one
        transaction, which paused all of them.
    """
    errors = [result for result in results if isinstance(result, SourceError)]
    if not errors or len(errors) < len(results):
        return None
    kind = error_class(errors[0])
    if kind == "server" and about_transactions(requests):
        return None
    return errors[0] if kind in _PROVIDER_ERRORS else None
