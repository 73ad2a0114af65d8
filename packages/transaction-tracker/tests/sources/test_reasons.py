from typing import Any

import pytest

from transaction_tracker.sources import ApplicationError, ServerError
from transaction_tracker.sources.ethereum.reasons import of_call, of_receipt
from transaction_tracker.sources.ethereum.revert_data import ErrorTable
from txtrack_devnode.wire import encode_reason

POOR = encode_reason("too poor")
OVERFLOW = "0x4e487b71" + f"{0x11:064x}"
BALANCE = "InsufficientBalance(uint256 available, uint256 required)"
# keccak256("InsufficientBalance(uint256,uint256)"), as in Solidity's documentation.
SHORT_BY_ONE = "0xcf479181" + f"{1:064x}" + f"{2:064x}"


def error(message: str, code: int = 3, data: object = None) -> ApplicationError:
    refusal = ApplicationError(f"{message} ({code})", code, source_message=message)
    refusal.data = data  # type: ignore[attr-defined]
    return refusal


# Error of each node for a call that reverts, from its documentation or source.
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        # geth, erigon, reth, besu since 24.x, zkSync, Hedera's relay
        (error("execution reverted: too poor", 3, POOR), "too poor"),
        (error("execution reverted", 3, POOR), "too poor"),
        (error("execution reverted", 3, "0x"), None),
        (error("execution reverted", -32000), None),
        (error("execution reverted: too poor", -32000), "too poor"),
        # besu before
        (error("Execution reverted (too poor)", -32000), "too poor"),
        # OpenEthereum, Nethermind
        (error("VM execution error.", -32015, "Reverted " + POOR), "too poor"),
        (error("VM execution error.", -32015, "Reverted 0x"), None),
        (error("VM execution error", -32015, "Reverted too poor"), "too poor"),
        (error("VM execution error.", -32015, "Bad instruction fe"), None),
        # anvil
        (error("execution reverted: custom error 0x12345678", 3, "0x12345678"), "0x12345678"),
        (error("execution reverted: 4Vx", 3, "0x12345678"), "0x12345678"),
        # hardhat
        (
            error(
                "VM Exception while processing transaction: reverted with reason string 'too poor'",
                -32000,
                {"message": "…", "txHash": "0x" + "1" * 64, "data": POOR},
            ),
            "too poor",
        ),
        (
            error(
                "Error: VM Exception while processing transaction: "
                "reverted with reason string 'it's too poor'"
            ),
            "it's too poor",
        ),
        (error("reverted with custom error 'Poor(1)'"), "custom error 'Poor(1)'"),
        (error("transaction reverted without a reason string"), None),
        # ganache 7, and before
        (
            error(
                "VM Exception while processing transaction: revert too poor",
                -32000,
                {"hash": None, "programCounter": 1, "result": POOR, "reason": "too poor"},
            ),
            "too poor",
        ),
        (
            error(
                "VM Exception while processing transaction: revert",
                -32000,
                {"0x" + "1" * 64: {"error": "revert", "return": POOR}, "stack": "…"},
            ),
            "too poor",
        ),
        # a relay in front of a node
        (
            error("execution reverted", -32000, {"originalError": {"code": 3, "data": POOR}}),
            "too poor",
        ),
        # java-tron
        (error("REVERT opcode executed", -32000, POOR), "too poor"),
        (error("REVERT opcode executed", -32000), None),
        # Lotus
        (
            error(
                "message execution failed (exit=[33], revert reason=[Error(too poor)])",
                3,
                POOR,
            ),
            "too poor",
        ),
        (error("execution reverted: " + POOR), "too poor"),
    ],
)
def test_reason_is_found_in_each_form(answer: object, reason: str | None) -> None:
    found = of_call(answer)

    assert found == (f"custom error {reason}" if reason and reason[:2] == "0x" else reason)


@pytest.mark.parametrize(
    "answer",
    [
        error("state is pruned", -32000),
        error("required historical state unavailable", -32000, "0x"),
        error("the method eth_call does not exist/is not available", -32601),
        error("insufficient funds for gas * price + value", -32000),
        error("insufficient funds for transfer", -32003, POOR),
        error("out of gas", -32000),
        error("gas required exceeds allowance (50000000)", -32000),
        error("intrinsic gas too low", -32000),
        error("invalid opcode: INVALID", -32000),
        error("missing trie node", -32000),
        error("VM execution error.", -32015, "OutOfGas"),
        error("HTTP 403", 403),
        ServerError("execution reverted: too poor"),
        "0x",
        None,
        {"error": "reverted"},
    ],
)
def test_error_that_is_not_about_the_transaction_is_not_a_reason(answer: object) -> None:
    assert of_call(answer) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (0x00, "generic"),
        (0x01, "assertion"),
        (0x11, "overflow"),
        (0x12, "division"),
        (0x21, "enum"),
        (0x22, "storage byte array"),
        (0x31, "empty array"),
        (0x32, "out of bounds"),
        (0x41, "memory"),
        (0x51, "function"),
        (0x99, "unknown code"),
    ],
)
def test_reason_of_a_panic_has_its_meaning(code: int, words: str) -> None:
    reason = of_receipt(f"0x4e487b71{code:064x}")

    assert reason is not None
    assert reason.startswith(f"panic 0x{code:02x}: ")
    assert words in reason


def test_unknown_custom_error_is_its_selector_and_data() -> None:
    assert of_call(error("execution reverted", 3, OVERFLOW)) == (
        "panic 0x11: arithmetic overflow or underflow"
    )
    assert of_call(error("execution reverted", 3, "0x12345678")) == "custom error 0x12345678"
    assert of_call(error("execution reverted", 3, "0x12345678abcd")) == (
        "custom error 0x12345678: 0xabcd"
    )
    assert of_call(error("execution reverted", 3, "0x1234")) == "0x1234"


def test_known_custom_error_has_its_name() -> None:
    table = ErrorTable.of([BALANCE, "Paused()"])
    paused = "0x9e87fac8"  # keccak256("Paused()")

    assert of_call(error("execution reverted", 3, SHORT_BY_ONE), table) == (
        "InsufficientBalance(available=1, required=2)"
    )
    assert of_receipt(paused, table) == "Paused()"
    assert of_receipt("0x12345678", table) == "custom error 0x12345678"


@pytest.mark.parametrize(
    ("signature", "arguments", "shown"),
    [
        ("error E(address to);", f"{'b' * 40:0>64}", f"E(to=0x{'b' * 40})"),
        ("E(bool, int8)", f"{1:064x}" + "f" * 64, "E(true, -1)"),
        ("E(bytes4 id)", "12345678" + "0" * 56, "E(id=0x12345678)"),
        ("E(uint n)", f"{7:064x}", "E(n=7)"),
        (
            "E(string s, uint8)",
            f"{64:064x}{9:064x}{2:064x}{b'hi'.hex():0<64}",
            "E(s='hi', 9)",
        ),
        ("E(bytes)", f"{32:064x}{1:064x}{'ab':0<64}", "E(0xab)"),
        ("E(uint256[] n)", f"{32:064x}", f"E(0x{32:064x})"),
        ("E(uint256)", "00", "E(0x00)"),
        ("E(string)", f"{2**255:064x}", f"E(0x{2**255:064x})"),
        ("E(string)", f"{32:064x}{1:064x}{'ff':0<64}", f"E(0x{32:064x}{1:064x}{'ff':0<64})"),
    ],
)
def test_arguments_are_decoded_by_their_types(signature: str, arguments: str, shown: str) -> None:
    table = ErrorTable.of([signature])
    (selector,) = table.errors

    assert of_receipt(f"0x{selector.hex()}{arguments}", table) == shown


@pytest.mark.parametrize("bad", ["", "E", "E(", "E(uint256", "E((uint256))", "E(Uint)", "E(a b c)"])
def test_invalid_signature_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"signature|parameter"):
        ErrorTable.of([bad])


def test_long_reason_is_cut_and_a_malformed_reason_never_raises() -> None:
    nested: Any = POOR
    for _ in range(50):
        nested = {"data": nested}

    assert of_call(error("execution reverted: " + "x" * 9_000)) == "x" * 500
    assert of_call(error("execution reverted", 3, nested)) is None
    assert of_receipt("0x08c379a0" + "f" * 128) is None
    assert of_receipt(encode_reason("x" * 40)[:-80]) == "x" * 24


def test_a_reason_has_no_nul() -> None:
    answer = error("execution reverted", 3, encode_reason("no\0money"))

    assert of_call(answer) == "no\N{REPLACEMENT CHARACTER}money"
