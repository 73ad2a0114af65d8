"""``python -m beamish cluster status``."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import psycopg
import pytest

from beamish.__main__ import main
from beamish.cluster._store.postgresql import PostgresStore
from beamish.cluster._store.protocol import Child, Name

from . import postgres

LONG = 1000.0

Status = Callable[[str, str], "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as running:
        yield running


def status(*arguments: str, store: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "beamish", "cluster", "status", *arguments],
        env={**os.environ, "BEAMISH_CLUSTER_STORE": store},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def status_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Status:
    """The command in this process, for what it refuses before it asks a server: that is fast."""

    def run(name: str, store: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("BEAMISH_CLUSTER_STORE", store)
        arguments = ["cluster", "status", name]
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        shown = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), *shown)

    return run


@pytest.mark.postgres
async def test_status_prints_the_shards(server: postgres.Server) -> None:
    store = PostgresStore("bank", server.dsn)
    await store.prepare(2)
    for shard in range(2):
        await store.claim(shard, LONG, f"host-{shard}", "node")
    await store.add(0, 1, [Child(Name("r", "a"), "s", b""), Child(Name("r", "b"), "s", b"")])
    await store.give_up(0, 1, {Name("r", "a"): "boom"})

    good = status("bank", store=server.dsn)
    await store.release(1, 1)
    bad = status("bank", "--store", server.dsn)
    await store.close()

    assert good.returncode == 0, good.stderr
    lines = [line.split() for line in good.stdout.splitlines()]
    assert lines[0] == ["SHARD", "EPOCH", "LEASE", "RUNNING", "GIVEN", "UP", "HOST", "NODE"]
    assert [line[0] for line in lines[1:]] == ["0", "1"]
    assert sum(int(line[4]) + int(line[5]) for line in lines[1:]) == 2
    assert bad.returncode == 1
    assert "over" in bad.stdout


@pytest.mark.postgres
async def test_unknown_cluster_is_an_error(server: postgres.Server) -> None:
    empty = status("bank", store=server.dsn.replace("/postgres?", "/template1?"))
    assert (empty.returncode, "no tables" in empty.stderr) == (1, True)

    store = PostgresStore("other", server.dsn)
    await store.prepare(2)
    await store.close()
    unknown = status("nobody", store=server.dsn)
    assert (unknown.returncode, "no cluster 'nobody'" in unknown.stderr) == (1, True)


def test_missing_store_is_an_error() -> None:
    done = status("bank")

    assert done.returncode == 2
    assert "--store" in done.stderr


def test_store_that_does_not_answer_is_an_error() -> None:
    done = status("bank", store="postgresql://user:secret@127.0.0.1:1/x")

    assert done.returncode == 1
    assert "the store does not answer" in done.stderr
    assert "secret" not in done.stderr


@pytest.mark.parametrize(
    ("store", "shown"),
    [
        ("not a connection string", "cannot parse"),
        ("/data/cluster.db", "cannot parse"),
        ("mysql://user:secret@host/x", "begins with 'mysql'"),
        ("postgresql+psycopg://user:secret@host/x", "begins with 'postgresql+psycopg'"),
        ("postgresql://user:sec%ret@host/x", "%25"),
        ("postgresql://user:secret@host/x?sslmod=require", "cannot parse"),
        ("host=x password=secret dbname", "cannot parse"),
    ],
)
def test_store_that_is_not_a_connection_string_is_an_error(
    store: str, shown: str, status_here: Status
) -> None:
    done = status_here("bank", store)

    assert done.returncode == 2
    assert done.stderr.startswith("error: the store of a cluster must be a connection string")
    assert shown in done.stderr
    assert "sec" not in done.stderr


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 101])
def test_name_that_no_cluster_can_have_is_an_error(name: str, status_here: Status) -> None:
    done = status_here(name, "postgresql://user@127.0.0.1:1/x")

    assert done.returncode == 2
    assert "1 to 100 printable characters" in done.stderr


@pytest.mark.postgres
async def test_tables_that_the_user_cannot_read_are_an_error(server: postgres.Server) -> None:
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        connection.execute("create role reader login")
    store = PostgresStore("bank", server.dsn)
    await store.prepare(2)
    await store.close()

    done = status("bank", store=server.dsn.replace("postgres@", "reader@"))

    assert done.returncode == 1
    assert done.stderr == "error: permission denied for table beamish_cluster\n"


@pytest.mark.parametrize(
    "arguments", [("cluster",), ("cluster", "stat", "x"), ("cluster", "status")]
)
def test_command_that_is_not_complete_shows_its_usage(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "beamish", *arguments], capture_output=True, text=True
    )

    assert done.returncode == 2
    assert "{status} NAME" in done.stderr
