"""Who paid whom how much, and whether that was expected, on the command line."""

import json
from pathlib import Path

import pytest

from transaction_tracker.cli import payments
from txtrack_devnode import DevelopmentNode
from txtrack_devnode.tokens import transfer_data

from ..signing import SENDER, legacy  # noqa: TID252
from .conftest import Command


@pytest.mark.usefixtures("service")
class TestPayments:
    async def test_token_payment_is_shown_and_expected(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        sender, token, shop, _ = node.chain.accounts
        tx = node.chain.submit(sender, token, data=transfer_data(shop, 250)).hash

        expected = ("--expect-to", shop, "--expect-token", token, "--expect-min-value", "250")
        added = await command("add", tx, *expected)
        waited = await command("wait", tx)
        shown = await command("get", tx)
        (event, *_) = reversed((await command("events", "--json")).documents)

        assert added.status == waited.status == shown.status == 0
        assert "the expected payment" in waited.out
        assert f"erc20 250 of {token} from {sender} to {shop}" in shown.out
        assert "0 ether (0 gwei, 0 wei)" in shown.out
        assert event["expectation"]["matches"] is True
        assert event["details"]["transfers"][0]["value"] == "250"

    async def test_payment_to_somebody_else_is_not_expected(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        sender, thief, shop, _ = node.chain.accounts
        tx = node.chain.submit(sender, thief, 5).hash

        await command("add", tx, "--expect-to", shop, "--expect-value", "5")
        waited = await command("wait", tx)

        assert f"not the expected payment: to is {thief}, expected {shop}" in waited.out

    async def test_wrong_expectation_is_refused(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        tx = node.chain.submit(*node.chain.accounts[:2], 5).hash

        added = await command("add", tx, "--expect-value", "1.5")

        assert added.status == 2
        assert "whole number of the smallest unit" in added.err

    @pytest.mark.parametrize("form", ["csv", "jsonl"])
    async def test_expectations_are_imported(
        self, command: Command, node: DevelopmentNode, tmp_path: Path, form: str
    ) -> None:
        tx = node.chain.submit(*node.chain.accounts[:2], 5).hash
        line = json.dumps({"id": tx, "expect": {"value": "5"}})
        cell = '"{""value"": ""5""}"'
        file = tmp_path / "payments"
        file.write_text(f"id,expect\n{tx},{cell}\n" if form == "csv" else f"{line}\n")

        imported = await command("import", str(file), "--format", form)
        waited = await command("wait", tx)

        assert imported.status == 0, imported.err
        assert "the expected payment" in waited.out


def test_unknown_answer_is_not_called_a_match() -> None:
    expectation = {"expected": {}, "matches": None, "differences": []}

    assert payments.verdict({"expectation": expectation}) == (
        "not known yet whether it is the expected payment"
    )


def test_transfers_that_are_left_out_are_counted() -> None:
    details = {"transfers": [], "transfer_count": 1_234}

    assert list(payments.transfers({"details": details})) == ["and 1,234 more token transfers"]


@pytest.mark.usefixtures("service")
class TestSenderAndNonce:
    async def test_whichever_transaction_has_the_nonce_is_tracked(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        sender, shop, *_ = node.chain.accounts
        key = f"{sender.lower()}:0"

        added = await command("add", "--sender", sender, "--nonce", "0", "--expires-in", "1h")
        tx = node.chain.submit(sender, shop, 5).hash
        waited = await command("wait", key)
        shown = await command("get", key)

        assert added.out == f"{key} registered\n"
        assert (added.status, waited.status, shown.status) == (0, 0, 0)
        assert tx in shown.out

    @pytest.mark.parametrize(
        ("flags", "words"),
        [
            ((), "give the ids of transactions, or --sender and --nonce, or --raw"),
            (("--sender", "0x"), "give --sender and --nonce together"),
            (("--nonce", "1"), "give --sender and --nonce together"),
            (("--sender", "0x12", "--nonce", "1"), "sender: expected an address"),
            (("--sender", "0x12", "--nonce", "-1"), "--nonce"),
        ],
    )
    async def test_wrong_flags_are_refused(
        self, command: Command, flags: tuple[str, ...], words: str
    ) -> None:
        ran = await command("add", *flags)

        assert ran.status == 2
        assert words in ran.err


@pytest.mark.usefixtures("service")
class TestRaw:
    async def test_raw_transaction_is_read_from_a_file(
        self, command: Command, node: DevelopmentNode, tmp_path: Path
    ) -> None:
        file = tmp_path / "signed.txt"
        file.write_text(f"{legacy(5, node.chain.accounts[1], 7, chain_id=31337)}\n")

        added = await command("add", "--raw", str(file))
        (line,) = added.out.splitlines()
        shown = await command("get", line.split()[0])

        assert added.status == 0
        assert SENDER in shown.out

    async def test_invalid_transactions_are_refused(self, command: Command, tmp_path: Path) -> None:
        file = tmp_path / "signed.txt"
        file.write_text("0x02c0")

        refused = await command("add", "--raw", str(file))
        missing = await command("add", "--raw", str(tmp_path / "none.txt"))
        file.write_text(legacy(5, "0x" + "5b" * 20, chain_id=31337))
        sent = await command("add", "--raw", str(file), "--rebroadcast")

        assert (refused.status, missing.status, sent.status) == (2, 2, 2)
        assert "raw: cannot decode it: expected a list of 12 fields" in refused.err
        assert "cannot read" in missing.err
        assert "does not send transactions" in sent.err


def test_amount_is_shown_with_the_decimals_of_its_token() -> None:
    transfer = {
        "standard": "erc20",
        "token": "0x7",
        "from": "0xa",
        "to": "0xb",
        "value": "1250000",
        "token_id": None,
        "decimals": 6,
        "symbol": "USDC",
    }
    found = [{}, {"decimals": 0}, {"symbol": None}, {"decimals": None, "symbol": None}]

    lines = [
        line
        for change in found
        for line in payments.transfers({"details": {"transfers": [transfer | change]}})
    ]

    assert lines == [
        "erc20 1.25 USDC (1250000) of 0x7 from 0xa to 0xb",
        "erc20 1,250,000 USDC (1250000) of 0x7 from 0xa to 0xb",
        "erc20 1.25 (1250000) of 0x7 from 0xa to 0xb",
        "erc20 1250000 of 0x7 from 0xa to 0xb",
    ]
