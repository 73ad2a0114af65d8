"""Decimals and symbols of tokens: contracts and nodes can send anything."""

from collections.abc import Sequence
from typing import Any

import pytest

from transaction_tracker.domain import TokenUnit
from transaction_tracker.sources import ApplicationError, TransportError
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.ethereum.token_units import (
    DECIMALS,
    decimals,
    read_token_units,
    symbol,
)

TOKEN, OTHER = "0x" + "a" * 40, "0x" + "b" * 40


def word(number: int) -> str:
    return f"{number:064x}"


def text(content: bytes, length: int | None = None) -> str:
    """Return a ``string`` of the ABI."""
    padded = content.hex().ljust(-(-len(content) // 32) * 64, "0")
    return f"0x{word(32)}{word(len(content) if length is None else length)}{padded}"


def old_text(content: bytes) -> str:
    """Return a symbol as ``bytes32``."""
    return f"0x{content.hex():0<64}"


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (f"0x{word(0)}", 0),
        (f"0x{word(18)}", 18),
        (f"0x{word(77)}", 77),
        (f"0x{word(78)}", None),
        (f"0x{word(255)}", None),
        (f"0x{word(2**256 - 1)}", None),
        (f"0x{word(6)}{word(0)}", None),
        ("0x6", None),
        ("0x", None),
        ("", None),
        (None, None),
        (6, None),
        ({"decimals": 6}, None),
        (ApplicationError("execution reverted", 3), None),
    ],
)
def test_decimals_are_a_word_of_up_to_77(answer: object, found: int | None) -> None:
    assert decimals(answer) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (text(b"USDC"), "USDC"),
        (text("₮OKEN".encode()), "₮OKEN"),
        (text(b" USDC "), "USDC"),
        (text(b"x" * 32), "x" * 32),
        (text(b"x" * 33), None),
        (old_text(b"MKR"), "MKR"),
        (old_text(b""), None),
        (text(b""), None),
        (text(b"\xff\xfe"), None),
        (text("US\u202eCD".encode()), None),
        (text(b"US\nCD"), None),
        (text(b"US\x1b[2JCD"), None),
        (text(b"USDC", 2**255), None),
        (text(b"USDC", 33), None),
        (f"0x{word(2**255)}{word(4)}", None),
        (f"0x{word(32)}", None),
        (text(b"x" * 100_000), None),
        ("0x", None),
        (None, None),
    ],
)
def test_symbol_is_short_printable_text(answer: object, found: str | None) -> None:
    assert symbol(answer) == found


class Nodes:
    """Nodes that answer calls of contracts; one answers nothing."""

    def __init__(self, *nodes: dict[tuple[str, str], object]) -> None:
        self.nodes = nodes
        self.sent: list[Sequence[Request]] = []

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        self.sent.append(requests)
        return [[node.get(_call(each), _DOWN) for each in requests] for node in self.nodes]


_DOWN = TransportError("no answer")


def _call(request: Request) -> tuple[str, str]:
    (call, block) = request.params
    assert isinstance(call, dict)
    assert block == "latest"
    return call["to"], "decimals" if call["data"] == DECIMALS else "symbol"


def token(number: int, name: bytes = b"USDC") -> dict[tuple[str, str], object]:
    return {(TOKEN, "decimals"): f"0x{word(number)}", (TOKEN, "symbol"): text(name)}


async def units(*nodes: dict[tuple[str, str], object]) -> dict[str, TokenUnit]:
    return await read_token_units(Nodes(*nodes), [TOKEN])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([token(6)], TokenUnit(6, "USDC")),
        ([token(6), token(6)], TokenUnit(6, "USDC")),
        ([token(6), token(18)], None),
        ([token(6), {}], None),
        ([token(6), token(18), token(6)], TokenUnit(6, "USDC")),
        ([token(6), {}, token(6)], TokenUnit(6, "USDC")),
        ([token(6), token(6, b"USDT")], TokenUnit(6, None)),
        ([token(6, b"")], TokenUnit(6, None)),
        ([{}], None),
    ],
)
async def test_value_counts_if_more_than_half_of_the_nodes_say_it(
    nodes: list[dict[tuple[str, str], object]], found: TokenUnit | None
) -> None:
    assert await units(*nodes) == ({} if found is None else {TOKEN: found})


async def test_all_tokens_are_asked_about_in_one_request_and_a_bad_one_spoils_no_other() -> None:
    nodes = Nodes({(OTHER, "decimals"): "0x00", (OTHER, "symbol"): 7} | token(6))

    found = await read_token_units(nodes, [OTHER, TOKEN])  # type: ignore[arg-type]

    assert found == {TOKEN: TokenUnit(6, "USDC")}
    assert [len(requests) for requests in nodes.sent] == [4]


async def test_answer_of_a_contract_never_counts_against_a_node() -> None:
    nodes = Nodes(token(6))

    await read_token_units(nodes, [TOKEN])  # type: ignore[arg-type]

    (requests,) = nodes.sent
    assert all(each.result("nonsense") == "nonsense" and each.takes_null for each in requests)
