"""Programs on several machines take over from each other: no event is lost or told differently.

Each story is judged by the database, the receiver and the chain. ``TRACKER_TAKEOVERS=100`` makes a
hundred random take-overs; the number of a story is the seed of its choices.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from typing import Any

import psycopg
import pytest

from ..figures import FIGURES, Record  # noqa: TID252
from ..kill.server import RestartableServer, restartable_server  # noqa: TID252
from ..postgres import Postgres  # noqa: TID252
from ..silence import line_to  # noqa: TID252
from .machine import LEASE_SECONDS, Machine
from .network import lossy_network_to, network_to
from .story import Story

pytestmark = [pytest.mark.postgres, pytest.mark.slow, pytest.mark.timeout(1_000)]

TAKEOVERS = int(os.environ.get("TRACKER_TAKEOVERS", "5"))
TAKEOVERS_PER_STORY = 10

# Sleeps in a transaction that applies a block, if the test wants that.
SLOW_BLOCKS = """
CREATE TABLE slow (seconds double precision);
CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE pause double precision;
    BEGIN
        DELETE FROM slow RETURNING seconds INTO pause;
        IF pause IS NOT NULL THEN PERFORM pg_sleep(pause); END IF;
        RETURN NEW;
    END
$$;
CREATE TRIGGER slow AFTER INSERT ON blocks FOR EACH ROW EXECUTE FUNCTION be_slow();
"""
SLEEPS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    with postgres.database(template="template0") as url:
        yield url


@pytest.fixture(scope="module")
def own_server() -> Iterator[RestartableServer]:
    with restartable_server() as server:
        yield server


async def test_standby_takes_over_from_a_killed_owner(database: str) -> None:
    story = Story("kill", database)
    async with story.running() as (a, b):
        await story.begin()
        await a.kill()

        await b.until_ready()
        await a.start()
        await a.until_standby()

    assert story.epoch() == story.takeovers() >= 2


async def test_frozen_owner_becomes_the_standby_when_it_wakes(database: str) -> None:
    story = Story("freeze", database)
    async with story.running() as (a, b):
        await story.begin()
        await a.freeze()
        await b.until_ready()

        a.thaw()

        await a.until_standby()
        await b.until_ready()
        status, headers, problem = await a.get("/readyz")
        assert (status, headers["Retry-After"], problem["owner"]) == (503, "1", "http://b.example")
        assert (await a.get("/healthz"))[0] == 200

    assert story.epoch() == story.takeovers() >= 2


async def test_owner_that_is_frozen_in_a_transaction_is_replaced(database: str) -> None:
    story = Story("transaction", database)
    async with story.running() as (a, b):
        await story.begin()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(SLOW_BLOCKS)
            connection.execute("INSERT INTO slow VALUES (0.5)")
            while connection.execute(SLEEPS).fetchone() == (0,):
                await asyncio.sleep(0.01)
            # The transaction outlasts the sleep: the program cannot commit it.
            await a.freeze()

        await b.until_ready()
        a.thaw()
        await a.until_standby()

    assert story.epoch() == story.takeovers() >= 2


async def test_transaction_that_is_longer_than_the_lease_does_not_lose_it(database: str) -> None:
    story = Story("slow", database)
    async with story.running() as (a, b):
        await story.begin()
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute(SLOW_BLOCKS)
            connection.execute("INSERT INTO slow VALUES (%s)", [1.5 * LEASE_SECONDS])
            while connection.execute(SLEEPS).fetchone() == (0,):
                await asyncio.sleep(0.01)
            while connection.execute(SLEEPS).fetchone() != (0,):
                await asyncio.sleep(0.01)

        await a.until_ready()
        await b.until_standby()
        assert story.epoch() == story.takeovers() == 1


async def test_second_standby_waits_for_the_first_one_that_takes_over(database: str) -> None:
    story = Story("three", database, count=3)
    async with story.running() as (a, b, c):
        await story.begin()
        for _ in range(2):
            owner = await story.owner()
            await owner.kill()

            successor = await story.owner()
            (other,) = {a, b, c} - {owner, successor}
            await other.until_standby()
            await owner.start()
            await owner.until_standby()

    assert story.epoch() == story.takeovers() >= 3


async def test_owner_that_is_told_to_stop_hands_over(database: str) -> None:
    story = Story("stop", database)
    async with story.running() as (a, b):
        await story.begin()

        assert await a.stop() == 0

        await b.until_ready()
        # The lease was given back: the standby has not waited for its end.
        await a.start()
        await a.until_standby()

    assert story.epoch() == story.takeovers() >= 2


@pytest.mark.parametrize(
    "line_of",
    [
        # The proxy acknowledges all data and passes nothing, as a firewall can.
        pytest.param(line_to, id="proxy"),
        # Packets are dropped, as when a cable is cut.
        pytest.param(network_to, id="namespace"),
    ],
)
async def test_owner_that_is_cut_off_from_the_database_becomes_the_standby(
    line_of: Callable[[Postgres], AbstractAsyncContextManager[Any]],
    postgres: Postgres,
    database: str,
) -> None:
    async with line_of(postgres) as line:
        story = Story(
            f"cut {line_of.__name__}",
            database,
            reached=lambda n: database if n else line.url(database),
        )
        async with story.running() as (a, b):
            await story.begin()

            line.fall_silent()

            await b.until_ready()
            # Alive, and without a response from memory.
            assert (await a.get("/healthz"))[0] == 200
            assert (await a.get("/v1/transactions"))[0] == 503
            line.speak()
            await a.until_standby()
            await b.until_ready()

    assert story.epoch() == story.takeovers() >= 2


async def test_database_is_restarted_during_a_take_over(own_server: RestartableServer) -> None:
    with own_server.server.database(template="template0") as database:
        story = Story("restart", database)
        async with story.running() as (a, b):
            await story.begin()
            await a.kill()
            claims = len(b.logged("taking over"))
            while len(b.logged("taking over")) == claims:
                await asyncio.sleep(0.01)

            await own_server.restart()

            await b.until_ready()
            await a.start()
            await a.until_standby()

        # A claim that the restart interrupted counts, although the start failed.
        assert story.takeovers() <= story.epoch()


@pytest.mark.parametrize("seed", range(max(1, TAKEOVERS // TAKEOVERS_PER_STORY)))
async def test_no_event_is_lost_or_changed_by_random_take_overs(
    seed: int, database: str, record_property: Record
) -> None:
    story = Story(seed, database)
    async with story.running():
        await take_over_at_random(story, seed)

    assert story.epoch() == story.takeovers()
    record_property(FIGURES, asdict(story.figures()))


@pytest.mark.skipif(TAKEOVERS < TAKEOVERS_PER_STORY, reason="make soak")
@pytest.mark.parametrize("seed", range(max(1, TAKEOVERS // 50)))
async def test_no_event_is_lost_or_changed_over_a_network_that_loses_packets(
    seed: int, postgres: Postgres, database: str
) -> None:
    async with lossy_network_to(postgres, seed) as network:
        story = Story(f"lossy {seed}", database, reached=lambda _: network.url(database), pace=0.1)
        async with story.running():
            await take_over_at_random(story, seed)

    # A claim counts although the start after it can fail, when its connection does.
    assert TAKEOVERS_PER_STORY < story.takeovers() <= story.epoch()


async def take_over_at_random(story: Story, seed: int) -> None:
    chance = random.Random(f"takeovers:{seed}")
    await story.begin()
    for _ in range(min(TAKEOVERS, TAKEOVERS_PER_STORY)):
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        owner = await story.owner()
        (standby,) = (machine for machine in story.machines if machine is not owner)
        end = chance.choice(ENDS)
        story.log(f"{owner.name}: {end.__name__}")
        await end(owner, standby)
        story.log(f"{standby.name} is ready")


async def killed(owner: Machine, standby: Machine) -> None:
    await owner.kill()
    await standby.until_ready()
    await owner.start()
    await owner.until_standby()


async def frozen(owner: Machine, standby: Machine) -> None:
    await owner.freeze()
    await standby.until_ready()
    owner.thaw()
    await owner.until_standby()


async def stopped(owner: Machine, standby: Machine) -> None:
    assert await owner.stop() == 0
    await standby.until_ready()
    await owner.start()
    await owner.until_standby()


ENDS: Sequence[Callable[[Machine, Machine], Awaitable[None]]] = (
    killed,
    frozen,
    stopped,
)
