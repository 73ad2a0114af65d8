"""Two nodes of one chain."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from txtrack_devnode import Chain, DevelopmentNode

from .support import Network


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    chain = Chain(accounts=12)
    async with DevelopmentNode(chain=chain) as first, DevelopmentNode(chain=chain) as second:
        yield Network(first, second, tmp_path)
