"""A transaction of a source that is no longer listed; see docs/tracker/several_chains.md."""

import aiohttp
import pytest

from transaction_tracker import TransactionTracker, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web

from ..several import conftest  # noqa: TID252
from ..several.test_ids import HASH  # noqa: TID252

places = conftest.places
session = conftest.session


@pytest.mark.xfail(reason="the id with the chain id of a source that is not listed is 422")
async def test_transaction_of_a_removed_source_is_shown_by_its_id_with_the_chain_id(
    places: conftest.Places, session: aiohttp.ClientSession
) -> None:
    """The list shows it with this id, and the plain id is answered: so must this one be."""
    main, other, bank = places.settings.sources
    async with TransactionTrackerApplication(places.settings.replace(sources=(main, bank))):
        await TransactionTracker.start(HASH)

    async with TransactionTrackerApplication(places.settings.replace(sources=(other, bank))):
        path = f"/v1/transactions/eip155:31337:{HASH}"
        async with session.get(await Web.url(WEB) + path) as response:
            assert response.status == 200
