"""``txtrack doctor`` finds what is wrong, and says why it matters and what to do."""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.api import Following
from transaction_tracker.cli.guest import in_database
from transaction_tracker.follower import Verdict
from transaction_tracker.store.endpoints import Secret, add
from transaction_tracker.store.url import DatabaseUrl
from txtrack_devnode import Chain, DevelopmentNode
from txtrack_devnode.faults import DuplicatedTransaction
from txtrack_devnode.faults.kind import Call
from txtrack_devnode.faults.results import decoded

from ..api.support import serving  # noqa: TID252 - a service in the state that a test sets
from .conftest import Command, Ran


def chain(**options: Any) -> Chain:
    return Chain(accounts=1, **{"genesis_time": int(time.time()) - 30} | options)


@pytest.fixture
async def fresh() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=chain()) as running:
        yield running


@pytest.fixture
def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@pytest.fixture
async def doctor(command: Command, free_port: int) -> Command:
    async def run(*arguments: str) -> Ran:
        flags = () if "--port" in arguments else ("--port", str(free_port))
        return await command("doctor", "--json", *flags, *arguments)

    return run


def wrong(ran: Ran, severity: str = "error") -> list[str]:
    found = [one for one in ran.documents if one["severity"] == severity]
    assert all(one["why"] and one["do"] for one in found)
    return [f"{one['about']}: {one['what']}" for one in found]


async def test_all_is_well(doctor: Command, fresh: DevelopmentNode) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=fresh.chain.head.timestamp)) as other:
        ran = await doctor("--rpc", fresh.url, "--rpc", other.url, "--chain-id", "31337")

    assert (ran.status, wrong(ran), wrong(ran, "warning")) == (0, [], [])


async def test_findings_for_people(command: Command, free_port: int) -> None:
    ran = await command("doctor", "--rpc", "http://127.0.0.1:1", "--port", str(free_port))

    assert ran.status == 1
    assert "WRONG   provider http://127.0.0.1:1: cannot be asked: " in ran.out
    assert "        why: the service follows the chain through it" in ran.out
    assert "        do:  check the address" in ran.out
    assert ran.out.splitlines()[-1] == "1 wrong, 1 to look at, 2 fine"


async def test_bad_configuration(doctor: Command, tmp_path: Path) -> None:
    (tmp_path / "txtrack.toml").write_text("[web]\nhots = 1\n")

    ran = await doctor()

    assert ran.status == 1
    expected = "web.hots is no option; did you mean host? (txtrack.toml line 2)"
    assert wrong(ran) == [f"configuration: {expected}"]


async def test_no_provider(doctor: Command) -> None:
    assert wrong(await doctor()) == ["providers: none is configured"]


async def test_wrong_chain(doctor: Command, fresh: DevelopmentNode) -> None:
    ran = await doctor("--rpc", fresh.url, "--chain-id", "1")

    expected = "is on chain 31337, and source.chain_id is 1"
    assert wrong(ran) == [f"provider {fresh.url}: {expected}"]


async def test_provider_on_another_chain_than_most(doctor: Command, fresh: DevelopmentNode) -> None:
    same = chain(genesis_time=fresh.chain.head.timestamp)
    async with (
        DevelopmentNode(chain=same) as second,
        DevelopmentNode(chain=chain(genesis_time=5)) as odd,
    ):
        ran = await doctor("--rpc", odd.url, "--rpc", fresh.url, "--rpc", second.url)

    (found,) = wrong(ran)
    assert found.startswith(f"provider {odd.url}: is on another chain than provider {fresh.url}")


async def test_as_many_providers_on_one_chain_as_on_another(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=5)) as odd:
        ran = await doctor("--rpc", odd.url, "--rpc", fresh.url)

    (found,) = wrong(ran)
    ours, theirs = fresh.chain.block(0), odd.chain.block(0)
    assert ours is not None
    assert theirs is not None
    assert found.startswith(f"provider {fresh.url}: is on chain 31337, which begins with block")
    assert ours.hash in found
    assert f"and provider {odd.url} is on chain 31337, which begins with {theirs.hash}" in found
    assert "as many providers say one as the other" in found


async def test_lagging_provider(doctor: Command, fresh: DevelopmentNode) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=fresh.chain.head.timestamp)) as ahead:
        await ahead.mine(5)
        ran = await doctor("--rpc", fresh.url, "--rpc", ahead.url)

    assert ran.status == 0
    assert wrong(ran, "warning") == [
        f"provider {fresh.url}: is 5 blocks behind provider {ahead.url} (at 0, not 5)"
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3_600, "in the future of this machine's clock"), (-3_600, "old by this machine's clock")],
)
async def test_clock_and_heads_that_do_not_agree(doctor: Command, seconds: int, words: str) -> None:
    async with DevelopmentNode(chain=chain(genesis_time=int(time.time()) + seconds)) as odd:
        ran = await doctor("--rpc", odd.url)

    assert words in wrong(ran, "warning")[1]


async def test_head_that_does_not_advance(doctor: Command) -> None:
    """Amber by the time of the service: five block times and a minute at least, 30 s for clocks."""
    async with DevelopmentNode(chain=chain(genesis_time=int(time.time()) - 120)) as still:
        short = await doctor("--rpc", still.url, "--set", "source.block_time=12s")
        long = await doctor("--rpc", still.url, "--set", "source.block_time=60s")

    assert "its head is 12" in wrong(short, "warning")[-1]
    assert "head" not in wrong(long, "warning")[-1]


async def test_head_block_that_cannot_be_read_is_wrong_with_block_and_field(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    class Bodiless(DuplicatedTransaction):
        def changed(self, call: Call, result: object, state: Any) -> object:
            return decoded(result) | {"transactions": None}

    fresh.chain.mine(1)
    fresh.faults.inject(Bodiless(methods=frozenset(("eth_getBlockByHash",))))

    ran = await doctor("--rpc", fresh.url)

    assert ran.status == 1
    (found,) = wrong(ran)
    assert found.startswith(f"provider {fresh.url}: its block 1 cannot be read: ")
    assert "transactions must be an array" in found


async def test_provider_that_knows_no_safe_block(doctor: Command) -> None:
    ran = await doctor("--rpc", "http://127.0.0.1:1", "--confirmations", "safe")

    assert ran.status == 1


async def test_key_that_goes_unencrypted(doctor: Command) -> None:
    ran = await doctor("--rpc", "http://rpc.invalid/s3cretkey")

    expected = "its address holds a key, and goes over the network unencrypted"
    assert wrong(ran, "warning")[0] == f"provider http://rpc.invalid/…: {expected}"
    assert "s3cretkey" not in ran.out + ran.err


async def test_secret_in_a_file_that_others_can_read(
    doctor: Command, fresh: DevelopmentNode, tmp_path: Path
) -> None:
    file = tmp_path / "txtrack.toml"
    file.write_text(f'[[providers]]\nurl = "{fresh.url}/s3cretkey"\n')
    file.chmod(0o644)
    told = wrong(await doctor(), "warning")
    file.chmod(0o600)
    quiet = wrong(await doctor(), "warning")

    assert told[-1].startswith("file txtrack.toml: other users of this machine can read it")
    assert told[:-1] == quiet


async def test_database_in_use_by_another_program(
    command: Command, fresh: DevelopmentNode, tmp_path: Path, free_port: int
) -> None:
    # A lock of this very program would be shared with it.
    hold = (
        "import sys; from pathlib import Path; from transaction_tracker.store.database import "
        "Database; database = Database(Path(sys.argv[1])).open()"
    )
    wait = "print('held', flush=True); sys.stdin.read()"
    holder = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"{hold}; {wait}", str(tmp_path / "some.db")),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdout is not None
    await holder.stdout.readline()
    try:
        flags = ("--rpc", fresh.url, "--database", "some.db", "--port", str(free_port))
        ran = await command("doctor", "--json", *flags)
    finally:
        await holder.communicate(b"")

    assert wrong(ran) == ["database some.db: it is in use by another program"]


async def test_database_without_its_folder(doctor: Command, fresh: DevelopmentNode) -> None:
    ran = await doctor("--rpc", fresh.url, "--database", "nowhere/some.db")

    (found,) = wrong(ran)
    assert "is not there" in found


async def test_database_that_is_none(
    doctor: Command, fresh: DevelopmentNode, tmp_path: Path
) -> None:
    (tmp_path / "some.db").write_text("this is no database, and stays what it is")

    ran = await doctor("--rpc", fresh.url, "--database", "some.db")

    assert "file is not a database" in wrong(ran)[0]
    assert (tmp_path / "some.db").read_text() == "this is no database, and stays what it is"


async def test_database_that_cannot_be_reached(doctor: Command, fresh: DevelopmentNode) -> None:
    url = "postgresql://me:s3cret@127.0.0.1:1/name"

    ran = await doctor("--rpc", fresh.url, "--database", url)

    assert wrong(ran)[0].startswith("database postgresql://127.0.0.1:1/name: cannot be used")
    assert "s3cret" not in ran.out + ran.err


async def test_database_in_memory(doctor: Command, fresh: DevelopmentNode) -> None:
    ran = await doctor("--rpc", fresh.url, "--database", ":memory:")

    assert "database :memory:: is in memory" in wrong(ran, "warning")


async def test_database_that_lacks_migrations(
    doctor: Command, fresh: DevelopmentNode, tmp_path: Path
) -> None:
    (tmp_path / "old.db").touch()  # as old as it gets: there are no tables

    ran = await doctor("--rpc", fresh.url, "--database", "old.db")

    assert wrong(ran, "warning")[1].startswith("database old.db: lacks migrations: 0001")


async def test_address_that_others_can_reach_needs_a_token(
    doctor: Command, command: Command, fresh: DevelopmentNode
) -> None:
    before = wrong(await doctor("--rpc", fresh.url, "--host", "0.0.0.0"))
    await command("token", "create", "x")
    after = wrong(await doctor("--rpc", fresh.url, "--host", "0.0.0.0"))

    assert "others can reach it, and there is no token" in before[0]
    assert after == []


async def test_port_in_use(doctor: Command, fresh: DevelopmentNode) -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        ran = await doctor("--rpc", fresh.url, "--port", str(port))

    (found,) = wrong(ran)
    assert found.startswith(f"address 127.0.0.1 port {port}: cannot listen on 127.0.0.1")


async def test_service_that_runs_is_fine(
    doctor: Command, service: str, node: DevelopmentNode
) -> None:
    port = service.rpartition(":")[2]

    ran = await doctor("--rpc", node.url, "--database", "service.db", "--port", port)

    (found,) = [one for one in ran.documents if one["about"].startswith("service ")]
    assert (found["severity"], found["what"]) == ("ok", "runs, and is ready")
    assert wrong(ran) == []


@pytest.mark.parametrize(
    ("verdict", "severity", "words"),
    [
        (Verdict("halted", "block 7: nonce"), "error", "not ready: source halted: block 7: nonce"),
        (Verdict("lagging", "no head"), "warning", "is ready, but: source lagging: no head"),
    ],
)
async def test_service_whose_chain_does_not_move(
    doctor: Command, fresh: DevelopmentNode, verdict: Verdict, severity: str, words: str
) -> None:
    async with serving(following=lambda: Following(verdict=verdict)) as client:
        ran = await doctor("--rpc", fresh.url, "--port", str(client.port))

    (found,) = [one for one in ran.documents if one["about"].startswith("service ")]
    assert found["severity"] == severity
    assert words in found["what"]


async def test_endpoints_are_judged_by_the_rules_for_addresses(
    doctor: Command, fresh: DevelopmentNode
) -> None:
    url = DatabaseUrl.of("some.db")
    for place in ("https://10.1.2.3/s3cret", "https://127.0.0.1:9/"):
        in_database(url, partial(add, url=place, states=None, secret=Secret.generate()))

    flags = ("--rpc", fresh.url, "--database", "some.db")
    ran = await doctor(*flags, "--set", "webhooks.allow_private=127.0.0.1")

    (found,) = wrong(ran)
    assert found.startswith("endpoint ep_")
    assert "10.1.2.3 is not allowed: the address is private" in found
    assert json.dumps(ran.documents).count('"may be delivered to"') == 1
    assert "s3cret" not in ran.out
