"""Watched addresses with several sources."""

import asyncio

import pytest

from transaction_tracker.store import Store
from transaction_tracker.tracker.addresses import InvalidAddressError, address_place

from ..tracker.support import submit  # noqa: TID252
from .conftest import Places, Running
from .test_ids import refused

ADDRESS = "0x" + "5b" * 20
PATH = "/v1/addresses"


async def test_address_of_several_chains_is_ambiguous(service: Running) -> None:
    status, problem = await refused(service, PATH, {"address": ADDRESS})

    assert status == 409
    assert problem["errors"][0]["candidates"] == [f"eip155:3133{n}:{ADDRESS}" for n in (7, 8)]


async def test_chain_id_or_source_says_which_chain_is_meant(service: Running) -> None:
    named = [
        {"address": f"eip155:31338:{ADDRESS}"},
        {"address": ADDRESS, "source": "main", "metadata": {"of": "main"}},
    ]
    added = await service.client.post(PATH, named)

    assert [each["caip_id"] for each in added["results"]] == [
        f"eip155:31338:{ADDRESS}",
        f"eip155:31337:{ADDRESS}",
    ]
    status, problem = await refused(service, f"{PATH}/{ADDRESS}", None)
    assert (status, len(problem["errors"][0]["candidates"])) == (409, 2)
    main = await service.client.get(f"{PATH}/{ADDRESS}", source="main")
    assert (main["source"], main["metadata"]) == ("main", {"of": "main"})
    other = await service.client.get(f"{PATH}/eip155:31338:{ADDRESS}")
    assert (other["source"], other["metadata"]) == ("other", {})
    listed = await service.client.get(PATH, source="other")
    assert [each["caip_id"] for each in listed["addresses"]] == [f"eip155:31338:{ADDRESS}"]


async def test_deposit_belongs_to_its_chain(places: Places, service: Running) -> None:
    paid = submit(places.other)
    shop = places.other.chain.accounts[-1].lower()
    added = [{"address": f"eip155:3133{number}:{shop}"} for number in (7, 8)]
    await service.client.post(PATH, added)

    await places.other.mine(3)
    async with asyncio.timeout(50):
        while await Store.fetch(paid.hash) is None:
            await asyncio.sleep(0.01)

    ended = await service.client.reach(paid.hash, "confirmed")
    assert (ended["caip_id"], ended["address"]) == (f"eip155:31338:{paid.hash}", shop)
    counts = [(await service.client.get(f"{PATH}/{each['address']}"))["found"] for each in added]
    assert counts == [0, 1]


@pytest.mark.parametrize(
    ("item", "status", "words"),
    [
        ({"address": ADDRESS, "source": "bank"}, 422, "does not watch addresses"),
        ({"address": f"http:example-bank:{ADDRESS}"}, 422, "does not watch addresses"),
        ({"address": f"eip155:1:{ADDRESS}"}, 422, "expected an address of eip155:31337"),
        ({"address": ADDRESS, "source": "none"}, 404, "unknown source"),
        ({"address": f"eip155:31337:{ADDRESS}", "source": "other"}, 422, "expected an address"),
        ({"address": "0x12", "source": "main"}, 422, "40 hexadecimal digits"),
        ({"address": "0x12"}, 422, "40 hexadecimal digits"),
    ],
)
async def test_address_that_no_source_watches_is_refused(
    service: Running, item: dict[str, str], status: int, words: str
) -> None:
    found, problem = await refused(service, PATH, item)

    assert found == status
    assert words in problem["detail"]


@pytest.mark.usefixtures("service")
async def test_error_names_the_invalid_field() -> None:
    with pytest.raises(InvalidAddressError) as caught:
        address_place(ADDRESS, "none")

    assert caught.value.field == "source"
