"""Commands that talk to a running service."""

import asyncio
import io
from collections.abc import Iterable
from pathlib import Path

import pytest

from txtrack_devnode import GWEI, DevelopmentNode, Transaction

from .conftest import Command

UNKNOWN = "0x" + "ab" * 32


def pay(node: DevelopmentNode, sender: int = 0, **options: object) -> Transaction:
    accounts = node.chain.accounts
    return node.chain.submit(accounts[sender], accounts[-1], 1, **options)  # type: ignore[arg-type]


def cheap(node: DevelopmentNode, sender: int = 0) -> Transaction:
    """No block takes it."""
    return pay(node, sender, max_fee=GWEI - GWEI // 20, priority_fee=0)


def written(path: Path, lines: Iterable[str]) -> str:
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)


@pytest.mark.usefixtures("service")
class TestTransactions:
    async def test_added_transaction_is_waited_for_and_shown(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        tx = pay(node).hash

        added = await command("add", tx, "--metadata", '{"invoice": 17}')
        waited = await command("wait", tx)
        shown = await command("get", tx)
        asked = await command("why", tx)

        assert (added.status, added.out.split()[0]) == (0, tx)
        assert waited.status == 0
        assert waited.out.startswith(f"{tx} confirmed, block ")
        assert shown.status == asked.status == 0
        assert '{"invoice": 17}' in shown.out
        assert "mined -> confirmed" in shown.out
        assert asked.out.startswith("confirmed: Final: it succeeded.")

    async def test_commands_print_json(self, command: Command, node: DevelopmentNode) -> None:
        tx = pay(node).hash

        (added,) = (await command("add", tx, "--json")).documents
        (waited,) = (await command("wait", tx, "--json")).documents
        (listed,) = (await command("ls", "--json")).documents
        events = (await command("events", "--json")).documents
        shown = await command("get", tx, "--json")
        asked = await command("why", tx, "--json")

        assert (added["id"], added["status"]) == (tx, "accepted")
        assert (waited["id"], waited["state"]) == (tx, "confirmed")
        assert listed["id"] == tx
        assert [event["transaction"] for event in events] == [tx] * len(events)
        assert events[-1]["state"] == "confirmed"
        assert '"history": [' in shown.out
        assert '"waits_for": "nothing"' in asked.out

    async def test_invalid_transaction_does_not_affect_a_valid_one(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        tx = pay(node).hash

        added = await command("add", "0x12", tx)

        assert added.status == 2
        assert "refused: a transaction hash must be" in added.err
        assert added.out.startswith(tx)

    @pytest.mark.parametrize(
        ("what", "state", "status"),
        [("revert", "failed", 3), ("cancelled", "replaced", 4), ("untrack", "untracked", 10)],
    )
    async def test_exit_status_is_that_of_the_end_state(
        self, command: Command, node: DevelopmentNode, what: str, state: str, status: int
    ) -> None:
        tx = pay(node, reverts="closed").hash if what == "revert" else cheap(node).hash
        await command("add", tx)
        if what == "cancelled":
            await command("wait", tx, "--until", "pending")
            node.chain.replace(tx, "cancelled")
        elif what == "untrack":
            assert (await command("untrack", tx)).status == 0

        waited = await command("wait", tx, "--timeout", "20s")

        assert waited.status == status
        assert waited.out.startswith(f"{tx} {state}")

    async def test_exit_status_is_that_of_the_worst_end(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        good, bad = pay(node).hash, cheap(node, 1).hash
        await command("add", good)
        await command("add", bad, "--expires-in", "500ms")

        waited = await command("wait", good, bad, "--timeout", "20s")

        assert waited.status == 8
        assert len(waited.out.splitlines()) == 2

    async def test_wait_ends_at_its_timeout(self, command: Command, node: DevelopmentNode) -> None:
        tx = cheap(node).hash
        await command("add", tx)

        waited = await command("wait", tx, "--timeout", "200ms")

        assert waited.status == 5
        assert waited.out.startswith(f"{tx} pending")

    async def test_wait_for_a_state(self, command: Command, node: DevelopmentNode) -> None:
        tx = pay(node, reverts="closed").hash
        await command("add", tx)

        assert (await command("wait", tx, "--until", "mined_reverted")).status in (0, 3)
        assert (await command("wait", tx, "--until", "failed")).status == 0

    async def test_ls_by_state(self, command: Command, node: DevelopmentNode) -> None:
        done, waiting = pay(node).hash, cheap(node, 1).hash
        await command("add", done, waiting)
        await command("wait", done)
        await command("wait", waiting, "--until", "pending")

        listed = await command("ls", "--state", "pending", "--state", "missing", "--no-header")

        assert [line.split("\t")[0] for line in listed.out.splitlines()] == [waiting]

    async def test_ls_lists_all_and_prints_a_note_at_the_limit(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("transaction_tracker.cli.client.PAGE_SIZE", 50)
        ids = sorted(f"0x{number:064x}" for number in range(123))
        await command("add", *ids)

        everything = await command("ls")
        some = await command("ls", "--limit", "100", "--json")
        exactly = await command("ls", "--limit", "123")

        header, *rows = everything.out.splitlines()
        assert header == "transaction\tstate\tdepth\tblock"
        assert [row.split("\t")[0] for row in rows] == ids
        assert [one["id"] for one in some.documents] == ids[:100]
        cut = "txtrack: 100 shown, more available; omit --limit to list all\n"
        assert (everything.err, some.err, exactly.err) == ("", cut, "")

    async def test_recheck(self, command: Command, node: DevelopmentNode) -> None:
        tx = cheap(node).hash
        await command("add", tx)

        assert (await command("recheck", tx)).status == 0

    @pytest.mark.parametrize("name", ["get", "why", "wait", "untrack", "recheck"])
    async def test_untracked_transaction_is_an_error(self, command: Command, name: str) -> None:
        ran = await command(name, UNKNOWN)

        assert ran.status == 1
        assert ran.err == f"txtrack: {UNKNOWN} is not tracked; track it with txtrack add\n"

    @pytest.mark.parametrize("name", ["get", "why", "wait", "untrack", "recheck"])
    async def test_malformed_hash_is_bad_input(self, command: Command, name: str) -> None:
        ran = await command(name, "a..b?c=%20&")

        assert ran.status == 2
        assert "a transaction hash must be 0x and 64 hexadecimal digits" in ran.err


@pytest.mark.usefixtures("service")
class TestImport:
    async def test_bad_lines_are_reported_and_the_others_imported(
        self, command: Command, node: DevelopmentNode, tmp_path: Path
    ) -> None:
        good = [pay(node, sender).hash for sender in (0, 1, 2)]
        lines = ["id,invoice", f"{good[0]},17", "0x12,18", f"{good[1]}", f"{good[2]},20"]

        ran = await command("import", written(tmp_path / "a.csv", lines), "--batch", "2")

        assert ran.status == 2
        assert ran.out == "2 transactions are tracked; 2 bad lines, see above\n"
        first, second = ran.err.splitlines()
        assert first.startswith("line 3: a transaction hash must be")
        assert second == "line 4: must have 2 cells like the header, got 1"
        listed = (await command("ls", "--json")).documents
        assert {one["id"]: one["metadata"] for one in listed} == {
            good[0]: {"invoice": "17"},
            good[2]: {"invoice": "20"},
        }

    async def test_import_again_changes_nothing(
        self, command: Command, node: DevelopmentNode, tmp_path: Path
    ) -> None:
        file = written(tmp_path / "ids", [cheap(node, sender).hash for sender in (0, 1)])

        for again in ((), (), ("--again",)):
            ran = await command("import", file, *again)
            assert (ran.status, ran.out) == (0, "2 transactions are tracked\n")

        assert len((await command("ls", "--no-header")).out.splitlines()) == 2

    @pytest.mark.parametrize("arguments", [[], ["-"]])
    async def test_import_from_standard_input_as_json(
        self,
        command: Command,
        node: DevelopmentNode,
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
    ) -> None:
        lines = f'{{"id": "{cheap(node).hash}", "confirmations": "safe"}}\n{{"id": 3}}\n'
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))

        ran = await command("import", *arguments, "--json")

        assert ran.status == 2
        bad, done = ran.documents
        assert (bad["status"], bad["line"]) == ("bad", 2)
        assert done == {"status": "done", "accepted": 1, "bad": 1}

    @pytest.mark.parametrize("file", ["nowhere.csv", "."])
    async def test_unreadable_file_is_an_error(self, command: Command, file: str) -> None:
        ran = await command("import", file)

        assert ran.status == 2
        assert f"cannot read {file}" in ran.err


@pytest.mark.usefixtures("service")
class TestEvents:
    async def test_events_resume_after_a_cursor(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        tx = pay(node).hash
        await command("add", tx)
        await command("wait", tx)

        (first,) = (await command("events", "--json", "--limit", "1")).documents
        rest = (await command("events", "--json", "--after", first["cursor"])).documents

        assert first["version"] == 1
        assert [event["version"] for event in rest] == list(range(2, len(rest) + 2))

    async def test_events_lists_all_and_prints_a_note_at_the_limit(
        self, command: Command, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("transaction_tracker.cli.events.PAGE_SIZE", 50)
        ids = [f"0x{number:064x}" for number in range(123)]
        await command("add", *ids)
        await command("untrack", ids[0])
        await command("wait", *ids, "--until", "missing", "--timeout", "20s")

        everything = await command("events", "--json")
        some = await command("events", "--limit", "100")

        assert len(everything.documents) >= 123
        assert everything.err == ""
        assert len(some.out.splitlines()) == 1 + 100
        assert some.err.startswith("txtrack: 100 shown, more available; resume with --after")

    async def test_follow_prints_new_events(self, command: Command, node: DevelopmentNode) -> None:
        first = pay(node).hash
        await command("add", first)
        await command("wait", first)
        *_, last = (await command("events", "--json")).documents

        following = asyncio.create_task(
            command("events", "--follow", "--after", last["cursor"], "--limit", "1")
        )
        second = pay(node, 1).hash
        await asyncio.to_thread(_add, second)
        ran = await following

        assert ran.status == 0
        assert second in ran.out

    async def test_events_of_one_transaction(self, command: Command, node: DevelopmentNode) -> None:
        one, other = pay(node).hash, pay(node, 1).hash
        await command("add", one, other)
        await command("wait", one, other)

        ran = await command("events", "--transaction", other)

        assert other in ran.out
        assert one not in ran.out

    async def test_events_in_a_pipe_are_a_header_and_cells_between_tabs(
        self, command: Command, node: DevelopmentNode
    ) -> None:
        tx = pay(node).hash
        await command("add", tx)
        await command("wait", tx)

        ran = await command("events", "--transaction", tx)
        plain = await command("events", "--transaction", tx, "--no-header")
        following = await command("events", "--follow", "--after", "e0", "--limit", "1")

        header, *rows = ran.out.splitlines()
        columns = header.split("\t")
        assert columns == ["cursor", "recorded at", "transaction", "from", "to", "block", "flags"]
        cells = [dict(zip(columns, row.split("\t"), strict=True)) for row in rows]
        assert [row["transaction"] for row in cells] == [tx] * len(rows)
        assert cells[-1]["to"] == "confirmed"
        assert plain.out.splitlines() == rows
        assert following.out.splitlines()[0] == header

    @pytest.mark.parametrize("cursor", ["yesterday", "5"])
    async def test_invalid_cursor_is_refused(self, command: Command, cursor: str) -> None:
        ran = await command("events", "--after", cursor)

        assert ran.status == 2
        assert "after: must be the cursor of an event, such as e42" in ran.err


def _add(transaction: str) -> None:
    from transaction_tracker.cli import main

    assert main(["add", transaction]) == 0


@pytest.mark.usefixtures("service")
class TestProviders:
    async def test_pause_and_resume(self, command: Command) -> None:
        (known,) = (await command("provider", "ls", "--json")).documents
        name = known["name"]

        (paused,) = (await command("provider", "pause", name, "--json")).documents
        (resumed,) = (await command("provider", "resume", name, "--json")).documents
        (checked,) = (await command("provider", "check", "--json")).documents

        assert paused["by_hand"] is True
        assert resumed["by_hand"] is False
        assert checked["chain_id"] == 31337

    async def test_table(self, command: Command) -> None:
        ran = await command("provider", "check", "--no-header")

        assert ran.out.split("\t")[1:3] == ["active", "31337"]

    @pytest.mark.parametrize("action", ["pause", "resume", "check"])
    async def test_unknown_name(self, command: Command, action: str) -> None:
        ran = await command("provider", action, "a b")

        assert ran.status == 1
        assert "unknown provider; txtrack provider ls lists" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["add", UNKNOWN],
        ["get", UNKNOWN],
        ["ls"],
        ["why", UNKNOWN],
        ["wait", UNKNOWN],
        ["events"],
        ["events", "--follow"],
        ["untrack", UNKNOWN],
        ["recheck", UNKNOWN],
        ["provider", "ls"],
        ["webhook", "ls"],
        ["deliveries", "resume"],
    ],
)
async def test_no_service_is_status_6(command: Command, arguments: list[str]) -> None:
    ran = await command(*arguments, "--url", "http://127.0.0.1:1")

    assert ran.status == 6
    assert ran.err.startswith("txtrack: no service at http://127.0.0.1:1: ")
    assert "start it with txtrack serve" in ran.err
    assert ran.out == ""


async def test_wrong_token_is_explained_and_not_printed(command: Command, service: str) -> None:
    made = await command("token", "create", "x", "--database", "service.db")
    wrong = made.out.strip()[:-1] + ("a" if made.out.strip()[-1] != "a" else "b")

    refused = await command("ls", "--token", wrong)
    let_in = await command("ls", "--token", made.out.strip())

    assert (refused.status, let_in.status) == (1, 0)
    assert "the token is unknown, expired or revoked; set TXTRACK_TOKEN" in refused.err
    assert wrong not in refused.err
