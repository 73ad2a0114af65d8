"""``txtrack change``."""

import json

import pytest

from txtrack_devnode import DevelopmentNode

from .conftest import Command


@pytest.mark.usefixtures("service")
class TestChange:
    async def test_everything_is_changed(self, command: Command, node: DevelopmentNode) -> None:
        tx, shop = "0x" + 64 * "a", node.chain.accounts[1]
        await command("add", tx, "--expires-in", "1h")

        changed = await command(
            *("change", tx, "--confirmations", "finalized", "--no-deadline"),
            *("--metadata", '{"order": 8}', "--expect-to", shop),
        )
        shown = json.loads((await command("get", tx, "--json")).out)

        assert (changed.status, shown["required"], shown["deadline"]) == (0, "finalized", None)
        assert shown["metadata"] == {"order": 8}
        assert shown["expectation"]["expected"]["to"] == shop.lower()

    async def test_deadline_and_expectation_are_changed_alone(self, command: Command) -> None:
        tx = "0x" + 64 * "a"
        await command("add", tx, "--confirmations", "7", "--expect-value", "5")

        await command("change", tx, "--expires-in", "30m", "--no-expectation")
        shown = json.loads((await command("get", tx, "--json")).out)

        assert shown["required"] == 7
        assert shown["deadline"] is not None
        assert shown["expectation"] is None

    async def test_unknown_and_ended_transactions_are_refused(self, command: Command) -> None:
        tx = "0x" + 64 * "a"

        unknown = await command("change", tx, "--confirmations", "3")
        await command("add", tx)
        await command("untrack", tx)
        ended = await command("change", tx, "--confirmations", "3")

        assert (unknown.status, ended.status) == (1, 1)
        assert "track it with txtrack add" in unknown.err
        assert "has ended as untracked" in ended.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ((), "give what to change"),
        (("--no-deadline", "--expires-in", "5m"), "--no-deadline or --expires-in, not both"),
        (("--no-expectation", "--expect-value", "5"), "--no-expectation or --expect"),
        (("--metadata", "5"), "--metadata must be a JSON object"),
        (("--expires-in", "soon"), "--expires-in"),
        (("--expires-in", "9999999d"), "before the year 9999"),
    ],
)
async def test_wrong_flags_are_refused(
    command: Command, flags: tuple[str, ...], words: str
) -> None:
    ran = await command("change", "0x" + 64 * "a", *flags, "--url", "http://127.0.0.1:1")

    assert ran.status == 2
    assert words in ran.err
