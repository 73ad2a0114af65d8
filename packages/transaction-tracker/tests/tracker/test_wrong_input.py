"""Invalid settings, nodes and databases: a clear error, and no lost data."""

import asyncio
from pathlib import Path

import pytest

from beamish import StartError
from transaction_tracker import (
    ProviderSettings,
    Settings,
    SourceError,
    StoreError,
    TransactionTracker,
    TransactionTrackerApplication,
    WrongChainError,
)
from txtrack_devnode import Chain, DevelopmentNode

from ..listening import free_port  # noqa: TID252 - for all tests of the package
from .support import caught_up, eventually, reach, submit


def cause(error: BaseException) -> BaseException:
    """Return the root cause of an error."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


async def failure(settings: Settings) -> StartError:
    with pytest.raises(StartError) as caught:
        async with TransactionTrackerApplication(settings):
            pytest.fail("it started")
    return caught.value


async def test_node_of_another_chain_fails_the_start_and_names_both(
    settings: Settings, node: DevelopmentNode
) -> None:
    error = await failure(settings.replace(chain_id=1))

    assert isinstance(cause(error), WrongChainError)
    assert f"{node.url.rstrip('/')} is on chain 31337, expected 1" in str(error)


async def test_unreachable_node_fails_the_start_and_is_named(
    settings: Settings, closed_port: int
) -> None:
    rpc_url = f"http://127.0.0.1:{closed_port}/v3/s3cret"

    error = await failure(settings.replace(rpc_url=rpc_url))

    assert isinstance(cause(error), SourceError)
    assert f"http://127.0.0.1:{closed_port}/…: no connection" in str(error)
    assert "s3cret" not in str(error)


async def test_unusable_database_fails_the_start_and_is_named(
    settings: Settings, tmp_path: Path
) -> None:
    error = await failure(settings.replace(database=tmp_path / "missing" / "test.db"))

    assert isinstance(cause(error), OSError | StoreError)
    assert "missing/test.db: No such file or directory" in str(error)


async def test_database_of_another_chain_fails_the_start_and_is_unchanged(
    settings: Settings, node: DevelopmentNode
) -> None:
    tx = submit(node)
    async with TransactionTrackerApplication(settings):
        await TransactionTracker.start(tx.hash)
    async with DevelopmentNode(chain=Chain(chain_id=5)) as other:
        error = await failure(settings.replace(rpc_url=other.url, chain_id=5))

    assert "belongs to ethereum:31337 and cannot hold ethereum:5" in str(error)
    async with TransactionTrackerApplication(settings):
        assert (await TransactionTracker.status(tx.hash)).id == tx.hash


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rpc_url": "nonsense"}, "rpc_url must be a URL such as http://host:port"),
        ({"chain_id": 0}, "chain_id must be a chain's number, 1 or more, got 0"),
        ({"confirmations": 0}, "confirmations must be a number of blocks, 1 to 10,000, or"),
        ({"poll_interval": 0.0}, "poll_interval must be over 0, up to 1h: .*got 0.0"),
        ({"block_time": -1.0}, "block_time must be over 0, up to 1h: .*got -1.0"),
        (
            {"profile": {"blok_time": 1}},
            "profile.blok_time is an unknown .*mean block_time",
        ),
        ({"profile": {"fee": "gas"}}, "profile.fee must be .*got 'gas'"),
        ({"errors": ("Unpaid(",)}, "errors must be a list of signatures.*got 'Unpaid\\('"),
        ({"errors": 5}, "errors must be a list of signatures.*got 5"),
        ({"providers": (ProviderSettings("http://a"),)}, "rpc_url and providers cannot both"),
        ({"confirmations": "safe", "chain_id": 728126428}, "set profile.finality_tags to true"),
        ({"poll_interval": float("nan")}, "poll_interval must be over 0, up to 1h: .*got nan"),
    ],
)
def test_invalid_settings_raise(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Settings(**{"rpc_url": "http://127.0.0.1:1"} | fields)  # type: ignore[arg-type]


def test_settings_never_print_the_key() -> None:
    assert "s3cret" not in repr(Settings("https://user:s3cret@host/v3/s3cret"))


async def test_node_outage_stops_no_tracker_and_loses_no_event(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    chain, port = Chain(accounts=5), free_port()
    settings = settings.replace(rpc_url=f"http://127.0.0.1:{port}")
    node = DevelopmentNode(port=port, chain=chain)
    async with node, asyncio.timeout(50):
        app = TransactionTrackerApplication(settings)
        await app.__aenter__()
        tx = submit(node)
        pid = await TransactionTracker.start(tx.hash)
        await reach(tx.hash, "pending")
    await eventually(lambda: "does not respond" in caplog.text)
    while_it_was_away = submit(node, 1)
    await TransactionTracker.start(while_it_was_away.hash)
    chain.mine(3)

    async with DevelopmentNode(port=port, chain=chain) as node:
        await reach(tx.hash, "confirmed")
        await reach(while_it_was_away.hash, "confirmed")
        await caught_up(app, node)
        assert TransactionTracker.lookup(tx.hash) != pid  # ended, not crashed
        await app.__aexit__(None, None, None)
    assert "terminating" not in caplog.text


async def test_node_that_changes_to_another_chain_loses_no_event(
    settings: Settings, node: DevelopmentNode, caplog: pytest.LogCaptureFixture
) -> None:
    tx = submit(node)
    port = free_port()
    settings = settings.replace(rpc_url=f"http://127.0.0.1:{port}")
    async with DevelopmentNode(port=port, chain=node.chain):
        app = TransactionTrackerApplication(settings)
        await app.__aenter__()
        await TransactionTracker.start(tx.hash)
        await node.mine()
        mined = await reach(tx.hash, "mined")

    async with DevelopmentNode(port=port, chain=Chain(chain_id=5, seed="another")) as other:
        other.chain.mine(9)
        await eventually(lambda: "is on chain 5, expected 31337" in caplog.text)
        assert await TransactionTracker.status(tx.hash) == mined

    async with DevelopmentNode(port=port, chain=node.chain):
        node.chain.mine(2)
        await reach(tx.hash, "confirmed")
        await app.__aexit__(None, None, None)
