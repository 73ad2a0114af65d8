"""A sharded service beside one without shards, on one chain."""

from collections.abc import AsyncIterator, Iterator

import pytest

from txtrack_devnode import Chain, DevelopmentNode

from ..postgres import Postgres  # noqa: TID252
from .programs import ShardedService, sharded


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    with postgres.database(template="template0") as url:
        yield url


@pytest.fixture
def other_database(postgres: Postgres) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4)) as node:
        yield node


@pytest.fixture
async def running(
    node: DevelopmentNode, database: str, other_database: str
) -> AsyncIterator[ShardedService]:
    async with sharded([node.url], database, other_database) as running:
        yield running
