"""Two development nodes, a bank, and a service that follows all three."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.service import SourceSettings
from transaction_tracker.sources.http_polling import HttpSection
from txtrack_devnode import Chain, DevelopmentNode

from ..service.client import Client  # noqa: TID252
from ..sources.http_polling.support import ScriptedService, scripted  # noqa: TID252


@dataclass
class Places:
    """What the service follows.

    Attributes:
        main: Development node of chain 31337.
        other: Development node of chain 31338.
        bank: Service over HTTP.
        database: File of the service.
    """

    main: DevelopmentNode
    other: DevelopmentNode
    bank: ScriptedService
    database: Path

    @property
    def settings(self) -> Settings:
        """Settings of a service that follows all three."""
        return Settings(
            sources=(
                self._chain("main", self.main, 31337),
                self._chain("other", self.other, 31338),
                SourceSettings(
                    name="bank",
                    poll_interval=0.01,
                    http=HttpSection(
                        name="example-bank",
                        url=f"{self.bank.url}/transfers/{{id}}",
                        status="status",
                        words={"processing": "pending", "settled": "confirmed"},
                        id_pattern="PAY-[0-9]{1,12}",
                        allow_private=["127.0.0.1"],
                        first_delay=0.01,
                        longest_delay=0.05,
                    ),
                ),
            ),
            database=self.database,
            web=WebOptions(port=0),
        )

    @staticmethod
    def _chain(name: str, node: DevelopmentNode, chain_id: int) -> SourceSettings:
        return SourceSettings(
            name=name,
            rpc_url=node.url,
            chain_id=chain_id,
            confirmations=2,
            poll_interval=0.01,
            block_time=0.02,
        )


@dataclass
class Running:
    """A running service.

    Attributes:
        application: The service.
        client: A client of its API.
    """

    application: TransactionTrackerApplication
    client: Client


@pytest.fixture
async def places(tmp_path: Path) -> AsyncIterator[Places]:
    async with AsyncExitStack() as stack:
        nodes = [
            await stack.enter_async_context(
                DevelopmentNode(chain=Chain(chain_id=chain_id, accounts=12))
            )
            for chain_id in (31337, 31338)
        ]
        bank = await stack.enter_async_context(scripted())
        bank.answer = lambda request: {"status": "processing"}
        yield Places(*nodes, bank, tmp_path / "several.db")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def service(places: Places, session: aiohttp.ClientSession) -> AsyncIterator[Running]:
    async with TransactionTrackerApplication(places.settings) as application:
        yield Running(application, Client(await Web.url(WEB), session))
