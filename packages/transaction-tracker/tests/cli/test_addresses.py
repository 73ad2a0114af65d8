"""``txtrack address``."""

import asyncio
from pathlib import Path

import pytest

from txtrack_devnode import DevelopmentNode

from .conftest import Command

LOWER = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
OTHER = "0x" + "ab" * 20


@pytest.mark.usefixtures("service")
class TestAddress:
    async def test_addresses_are_added_shown_and_removed(self, command: Command) -> None:
        added = await command(
            *("address", "add", MIXED, OTHER, "--confirmations", "7"),
            *("--metadata", "customer=7", "--metadata", "shop=a=b"),
        )
        listed = (await command("address", "ls", "--json")).documents
        single = await command("address", "get", MIXED)
        removed = await command("address", "rm", OTHER, LOWER)
        left = await command("address", "ls", "--json")

        assert (added.status, added.out) == (0, f"{LOWER} is watched\n{OTHER} is watched\n")
        assert [each["address"] for each in listed] == [LOWER, OTHER]
        assert listed[0]["metadata"] == {"customer": "7", "shop": "a=b"}
        assert listed[0]["confirmations"] == 7
        assert LOWER in single.out
        assert (removed.status, left.out) == (0, "")

    async def test_metadata_can_be_a_json_object(self, command: Command) -> None:
        await command("address", "add", LOWER, "--metadata", '{"customer": 7}')

        (shown,) = (await command("address", "ls", "--json")).documents
        assert shown["metadata"] == {"customer": 7}

    async def test_invalid_address_is_refused_and_the_others_are_watched(
        self, command: Command
    ) -> None:
        added = await command("address", "add", "0x12", LOWER)
        listed = (await command("address", "ls", "--json")).documents

        assert added.status == 2
        assert "0x12: expected an address" in added.err
        assert [each["address"] for each in listed] == [LOWER]

    @pytest.mark.parametrize("action", ["get", "rm"])
    async def test_address_that_is_not_watched_is_reported(
        self, command: Command, action: str
    ) -> None:
        ran = await command("address", action, LOWER)

        assert ran.status == 1
        assert "watch it with txtrack address add" in ran.err

    async def test_deposit_is_tracked(self, command: Command, node: DevelopmentNode) -> None:
        payer, shop = node.chain.accounts[0], node.chain.accounts[1]
        await command("address", "add", shop)
        payment = node.chain.submit(payer, shop, 5)
        async with asyncio.timeout(50):
            while not (await command("address", "ls", "--json")).documents[0]["found"]:
                pass  # its block has not been applied yet
        waited = await command("wait", payment.hash, "--timeout", "50s")
        shown = await command("get", payment.hash)

        assert waited.status == 0
        assert f"5 wei) to {shop.lower()}" in shown.out

    async def test_csv_is_imported(self, command: Command, tmp_path: Path) -> None:
        path = tmp_path / "addresses.csv"
        path.write_text(
            "# customers\n"
            "address,confirmations,customer,metadata\n"
            f'{MIXED},7,17,"{{""shop"": ""a""}}"\n'
            "0x12,,18,\n"
            f"{OTHER},safe,,no JSON\n"
            f"{OTHER},safe,,\n"
        )

        ran = await command("address", "import", str(path))
        listed = (await command("address", "ls", "--json")).documents

        assert ran.status == 2
        assert "2 addresses are watched; 2 bad lines" in ran.out
        assert "line 4: expected an address" in ran.err
        assert "line 5: the column metadata must be a JSON object" in ran.err
        assert [(each["address"], each["confirmations"]) for each in listed] == [
            (LOWER, 7),
            (OTHER, "safe"),
        ]
        assert listed[0]["metadata"] == {"shop": "a", "customer": "17"}

    async def test_columns_are_known_by_their_names_in_any_case(
        self, command: Command, tmp_path: Path
    ) -> None:
        path = tmp_path / "addresses.csv"
        path.write_bytes(
            b"\xef\xbb\xbfAddress,CONFIRMATIONS,Customer\r\n" + f"{MIXED},7,17\r\n".encode()
        )

        ran = await command("address", "import", str(path))
        (listed,) = (await command("address", "ls", "--json")).documents

        assert (ran.status, ran.err) == (0, "")
        assert (listed["address"], listed["confirmations"]) == (LOWER, 7)
        assert listed["metadata"] == {"Customer": "17"}

    async def test_second_line_with_an_address_is_bad(
        self, command: Command, tmp_path: Path
    ) -> None:
        path = tmp_path / "addresses.csv"
        path.write_text(f"address,customer\n{LOWER},7\n{OTHER},8\n{MIXED},9\n")

        ran = await command("address", "import", str(path))
        again = await command("address", "import", str(path))
        added = await command("address", "add", OTHER, "--confirmations", "30")

        assert ran.status == 2
        assert ran.err == "line 4: the address is in line 2 already, which counts\n"
        assert ran.out == "2 addresses are watched; 1 bad lines, see above\n"
        assert "2 of them were watched already, and stay as they are" in again.out
        assert added.out == f"{OTHER} is watched already, and stays as it is\n"

    @pytest.mark.parametrize("separator", [";", "\t"])
    async def test_columns_with_another_separator_are_refused(
        self, command: Command, tmp_path: Path, separator: str
    ) -> None:
        path = tmp_path / "addresses.csv"
        path.write_text(f"Address{separator}customer\n{LOWER}{separator}7\n")

        ran = await command("address", "import", str(path))

        assert ran.status == 2
        assert "columns must be separated by commas, got the header 'Address" in ran.err

    async def test_file_with_a_column_twice_is_refused(
        self, command: Command, tmp_path: Path
    ) -> None:
        path = tmp_path / "addresses.csv"
        path.write_text(f"address,confirmations,Confirmations\n{MIXED},7,17\n")

        ran = await command("address", "import", str(path))

        assert ran.status == 2
        assert "the header has the column 'confirmations' twice; remove one" in ran.err
        assert (await command("address", "ls", "--json")).out == ""

    async def test_plain_addresses_are_imported_in_batches(
        self, command: Command, tmp_path: Path
    ) -> None:
        path = tmp_path / "addresses.txt"
        addresses = [f"0x{number:040x}" for number in range(1, 8)]
        path.write_text("\n".join(addresses))

        ran = await command("address", "import", str(path), "--batch", "3", "--json")
        again = await command("address", "import", str(path), "--json")
        listed = (await command("address", "ls", "--json")).documents

        assert ran.documents == again.documents == [{"status": "done", "accepted": 7, "bad": 0}]
        assert [each["address"] for each in listed] == addresses


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add",), "give at least one address"),
        (("rm",), "give at least one address"),
        (("add", LOWER, "--metadata", "customer"), "--metadata must be name=value"),
        (("add", LOWER, "--from-block", "-1"), "--from-block"),
        (("import", "missing.csv"), "missing.csv"),
    ],
)
async def test_wrong_arguments_are_refused(
    command: Command, arguments: tuple[str, ...], words: str
) -> None:
    ran = await command("address", *arguments, "--url", "http://127.0.0.1:1")

    assert ran.status == 2
    assert words in ran.err
