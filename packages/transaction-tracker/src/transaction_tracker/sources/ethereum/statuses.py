"""Outcomes of transactions whose receipts have no status, from before Byzantium."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transaction_tracker.domain import Outcome
from transaction_tracker.sources.errors import ApplicationError, RateLimitedError, SourceError
from transaction_tracker.sources.ethereum import fees
from transaction_tracker.sources.ethereum.classify import METHOD_NOT_FOUND
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.decode import Receipt
from transaction_tracker.sources.ethereum.fields import (
    array,
    data,
    hash32,
    is_null,
    quantity,
    readable,
    record,
)
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# Gas used by a transfer to an account without code, for any gas limit.
_TRANSFER_GAS = 21_000
_UNKNOWN_METHOD_WORDS = ("does not exist", "not available", "not supported", "not found")


@dataclass(frozen=True, slots=True)
class _Trace:
    """Method that repeats a transaction and traces it.

    Attributes:
        method: Name of the method.
        params: Parameters after the hash.
        succeeded: Function that returns from the result whether the transaction succeeded;
            ``None`` if the result does not contain that.
    """

    method: str
    params: tuple[object, ...]
    succeeded: Callable[[Any], bool | None]

    def request(self, key: str) -> Request:
        return Request(self.method, (key, *self.params))


class Statuses:
    """Finds the outcomes of receipts without a status.

    Before Byzantium, a failed transaction used all its gas, because ``REVERT`` did not exist yet.
    So unused gas proves success. Without unused gas, the transaction succeeded if no code ran;
    otherwise a node that supports traces decides.

    Args:
        rpc: Client of the nodes.
        context: Facts about the chain.

    Source:
        EIP-140 (``REVERT``) and EIP-658 (the status), both of Byzantium.
    """

    def __init__(self, rpc: Rpc, context: ChainContext | None = None) -> None:
        self._rpc = rpc
        self._context = context or ChainContext()
        self._missing_methods: set[str] = set()

    async def settle(
        self, items: Mapping[str, Any], receipts: Mapping[str, Receipt]
    ) -> dict[str, Outcome | None]:
        """Return the outcome of each receipt; ``None`` if it cannot be known.

        Args:
            items: Transactions as the node sent them, by hash.
            receipts: Receipts of the transactions, by hash. A receipt with a status keeps its
                outcome.

        Raises:
            RateLimitedError: The node limits the whole request; ask again later.
        """
        outcomes = {key: receipt.outcome for key, receipt in receipts.items()}
        # A block can list hashes in place of transactions.
        items = {key: item for key, item in items.items() if isinstance(item, Mapping)}
        # Without a state root, the receipt is not from before Byzantium: the transaction can have
        # failed with unused gas, so the use of gas proves nothing.
        open_keys = [key for key, outcome in outcomes.items() if outcome is None]
        old = [key for key in open_keys if _has_root(receipts[key])]
        verdicts: dict[str, bool] = {
            key: True for key in old if _has_gas_left(items.get(key, {}), receipts[key])
        }
        verdicts |= await self._transfers(
            items, receipts, [key for key in old if key not in verdicts]
        )
        for trace in _TRACES:
            unsettled = [key for key in open_keys if key not in verdicts]
            verdicts |= await self._traced(trace, unsettled)
        for key, succeeded in verdicts.items():
            outcomes[key] = self._outcome(succeeded, items.get(key, {}), receipts[key])
        return outcomes

    async def _transfers(
        self,
        items: Mapping[str, Mapping[str, Any]],
        receipts: Mapping[str, Receipt],
        keys: list[str],
    ) -> dict[str, bool]:
        """Return the transfers to accounts without code; these cannot fail."""
        plain = [key for key in keys if _is_transfer(items.get(key, {}), receipts[key])]
        requests = [
            Request("eth_getCode", (items[key]["to"], hex(receipts[key].block.number)))
            for key in plain
        ]
        codes = await self._fetch(requests)
        return {key: True for key, code in zip(plain, codes, strict=True) if code == "0x"}

    async def _traced(self, trace: _Trace, keys: list[str]) -> dict[str, bool]:
        if not keys or trace.method in self._missing_methods:
            return {}
        found: dict[str, bool] = {}
        answers = await self._fetch([trace.request(key) for key in keys])
        for key, answer in zip(keys, answers, strict=True):
            if _is_unknown_method(answer):
                self._missing_methods.add(trace.method)
            succeeded = None if isinstance(answer, SourceError) else trace.succeeded(answer)
            if succeeded is not None:
                found[key] = succeeded
        return found

    async def _fetch(self, requests: list[Request]) -> list[Any]:
        """Return results and errors; an error of the whole request is the result of each call."""
        if not requests:
            return []
        try:
            answers = await self._rpc.batch(requests)
        except RateLimitedError:
            raise
        except SourceError as error:
            return [error] * len(requests)
        return answers

    def _outcome(self, succeeded: bool, item: Mapping[str, Any], receipt: Receipt) -> Outcome:
        price = readable(quantity, item.get("gasPrice"))
        fee, scope = fees.fee(receipt.raw, self._context.profile, price)
        return Outcome(succeeded=succeeded, fee=fee, fee_scope=scope)


def _has_root(receipt: Receipt) -> bool:
    return readable(hash32, receipt.raw.get("root")) is not None


def _has_gas_left(item: Mapping[str, Any], receipt: Receipt) -> bool:
    limit = readable(quantity, item.get("gas"))
    return limit is not None and receipt.gas_used is not None and receipt.gas_used < limit


def _is_transfer(item: Mapping[str, Any], receipt: Receipt) -> bool:
    payload = item["input"] if item.get("input") is not None else item.get("data")
    return (
        receipt.gas_used == _TRANSFER_GAS
        and readable(data, payload) == "0x"
        and not is_null(item.get("to"))
    )


def _by_call_tracer(answer: Any) -> bool | None:
    fields = readable(record, answer)
    if fields is None or "type" not in fields:
        return None
    return fields.get("error") is None


def _by_parity_trace(answer: Any) -> bool | None:
    for item in readable(array, answer) or ():
        fields = readable(record, item)
        # The transaction itself. Other items are calls that it made, which can fail alone.
        if fields is not None and fields.get("traceAddress") == []:
            return fields.get("error") is None
    return None


def _is_unknown_method(answer: object) -> bool:
    if not isinstance(answer, ApplicationError):
        return False
    is_refused = any(words in answer.source_message.lower() for words in _UNKNOWN_METHOD_WORDS)
    return answer.code == METHOD_NOT_FOUND or (
        "method" in answer.source_message.lower() and is_refused
    )


_TRACES = (
    _Trace("debug_traceTransaction", ({"tracer": "callTracer"},), _by_call_tracer),
    _Trace("trace_transaction", (), _by_parity_trace),
)
