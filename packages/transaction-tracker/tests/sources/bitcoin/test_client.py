"""The client of a node of Bitcoin Core, and what single nodes can and cannot say."""

from base64 import b64encode
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.domain import Absent, BlockRef, Included, Seen, chain_of
from transaction_tracker.sources import (
    ApplicationError,
    Consensus,
    MalformedError,
    NotYetError,
    ServerError,
    TransportError,
    Unanswered,
    WrongChainError,
)
from transaction_tracker.sources.bitcoin import BitcoinClient, BitcoinSource, fields
from transaction_tracker.sources.bitcoin.client import MAX_COOKIE_BYTES, NotIndexedError, at_request
from transaction_tracker.sources.bitcoin.found import Listed, listed_request
from transaction_tracker.sources.bitcoin.networks import PROFILES, NetworkProfile
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.sources.ethereum.rpc import Request
from txtrack_devnode.bitcoin import BitcoinNode, Coin
from txtrack_devnode.rpc import RpcError

UNKNOWN = "ab" * 32


@pytest.fixture
async def node() -> AsyncIterator[BitcoinNode]:
    async with BitcoinNode() as running:
        yield running


@pytest.fixture
async def client(node: BitcoinNode) -> AsyncIterator[BitcoinClient]:
    client = BitcoinClient(SecretUrl(node.url))
    yield client
    await client.close()


@pytest.fixture
async def source(node: BitcoinNode) -> AsyncIterator[BitcoinSource]:
    source = BitcoinSource(node.url)
    await source.check()
    yield source
    await source.close()


# -- Credentials


async def test_user_and_password_come_from_a_file_that_is_read_again(
    node: BitcoinNode, tmp_path: Path
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:old")
    client = BitcoinClient(SecretUrl(node.open_url), cookie_file=cookie)
    with pytest.raises(ServerError, match="HTTP 401"):
        await client.call("getblockcount")
    node.credentials = "__cookie__:new"

    cookie.write_text("__cookie__:new\n")

    assert await client.call("getblockcount") == node.chain.head.number
    await client.close()


@pytest.mark.parametrize("text", [None, "", "no colon", "a:b c", "u:" + "x" * MAX_COOKIE_BYTES])
async def test_unusable_file_is_an_error_without_its_text(tmp_path: Path, text: str | None) -> None:
    cookie = tmp_path / ".cookie"
    if text is not None:
        cookie.write_text(text)
    client = BitcoinClient(SecretUrl("http://127.0.0.1:1"), cookie_file=cookie)

    with pytest.raises(TransportError, match="cookie_file") as caught:
        await client.call("getblockcount")

    assert not text or text not in str(caught.value)
    await client.close()


async def test_password_is_in_no_error(node: BitcoinNode, client: BitcoinClient) -> None:
    password = node.credentials.partition(":")[2]
    node.credentials = "another:secret"

    with pytest.raises(ServerError) as caught:
        await client.call("getblockcount")

    encoded = b64encode(node.credentials.encode()).decode()
    assert not any(secret in f"{caught.value!r} {client!r}" for secret in (password, encoded))


@pytest.mark.parametrize("is_in_file", [True, False])
async def test_credentials_that_a_node_repeats_are_in_no_error(
    node: BitcoinNode, tmp_path: Path, is_in_file: bool
) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:not for logs".replace(" ", "_"))
    node.credentials = cookie.read_text()
    _, _, password = node.credentials.partition(":")
    header = b64encode(node.credentials.encode()).decode()

    def repeat(_found: object, _params: object) -> object:
        raise RpcError(-1, f"bad: Basic {header} is {node.credentials}, or {password}")

    node.lies["getblockcount"] = repeat
    url = node.open_url if is_in_file else node.url
    client = BitcoinClient(SecretUrl(url), cookie_file=cookie if is_in_file else None)

    with pytest.raises(ApplicationError, match="bad: Basic …") as caught:
        await client.call("getblockcount")

    assert password not in str(caught.value)
    await client.close()


# -- Results


async def test_amounts_are_exact(client: BitcoinClient, node: BitcoinNode) -> None:
    paid = node.chain.pay(value=1, fee=2_099_999_997)
    block = node.chain.mine()
    (listed,) = await client.batch([listed_request(paid.id, BlockRef(block.number, block.hash))])
    raw: Any = await client.call("getrawtransaction", paid.id, 2, block.hash)

    assert isinstance(listed, Listed)
    assert listed.fee == 2_099_999_997
    assert raw["fee"] == Decimal("20.99999997")
    assert isinstance(raw["vout"][0]["value"], Decimal)


@pytest.mark.parametrize(
    ("value", "amount"),
    [
        (Decimal("20999999.97690000"), 2_099_999_997_690_000),
        (Decimal("1E-8"), 1),
        (Decimal("0.00000000"), 0),
        (21_000_000, 2_100_000_000_000_000),
    ],
)
def test_amount_in_bitcoins_becomes_satoshi(value: object, amount: int) -> None:
    assert fields.satoshi(value, "fee") == amount


@pytest.mark.parametrize(
    "value",
    [
        0.5,
        "0.5",
        None,
        True,
        Decimal("0.000000001"),
        Decimal(-1),
        Decimal("NaN"),
        Decimal("1E999999"),
        21_000_001,
    ],
)
def test_other_amount_is_malformed(value: object) -> None:
    with pytest.raises(MalformedError, match="the node's fee must be an amount"):
        fields.satoshi(value, "fee")


async def test_missing_data_of_a_node_is_null(client: BitcoinClient) -> None:
    requests = [
        Request("getblockheader", (UNKNOWN,)),
        Request("getrawtransaction", (UNKNOWN, 1)),
        Request("getmempoolentry", (UNKNOWN,)),
        at_request(1_000_000),
    ]

    assert await client.batch(requests) == [None] * 4


async def test_node_that_loads_is_not_there_yet(node: BitcoinNode, client: BitcoinClient) -> None:
    node.state.warmup = True

    with pytest.raises(NotYetError, match="Loading block index"):
        await client.call("getblockcount")


async def test_node_without_an_index_says_that_it_has_none(
    node: BitcoinNode, client: BitcoinClient
) -> None:
    node.state.txindex = False

    with pytest.raises(NotIndexedError, match="txindex"):
        await client.call("getrawtransaction", UNKNOWN, 1)


async def test_reward_of_the_first_block_is_not_absent(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    key = node.chain.blocks[0].transactions[0].id

    answers = await source.look_up({key: ()}, 0)

    assert isinstance(answers[key], Unanswered)


# -- Blocks


async def test_block_is_read_with_its_slots(source: BitcoinSource, node: BitcoinNode) -> None:
    paid = node.chain.pay(spends=node.chain.coins(2))
    mined = node.chain.mine()
    head = await source.head()

    block = await source.block(head.link.ref)

    assert head.link.ref == BlockRef(mined.number, mined.hash)
    assert (block.link, block.time) == (head.link, mined.time)
    assert list(block.ids) == [each.id for each in mined.transactions]
    assert block.slots == {f"{coin.id}:{coin.index}": paid.id for coin in paid.spends}


async def test_blocks_are_read_by_number_up_to_the_head(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    top = node.chain.head.number

    blocks = await source.blocks(range(top - 6, top + 5))

    assert [block.link.number for block in blocks] == list(range(top - 6, top + 1))


@pytest.mark.parametrize("lie", ["another block", "cut off", "not hexadecimal"])
async def test_block_that_does_not_fit_its_hash_is_malformed(
    source: BitcoinSource, node: BitcoinNode, lie: str
) -> None:
    other = node.chain.blocks[3].raw.hex()
    answers = {"another block": other, "cut off": other[:-2], "not hexadecimal": "0x"}
    node.lies["getblock"] = lambda _found, _params: answers[lie]

    with pytest.raises(MalformedError):
        await source.block(BlockRef(4, node.chain.blocks[4].hash))


async def test_wrong_transaction_is_malformed(source: BitcoinSource, node: BitcoinNode) -> None:
    first, second = node.chain.pay(), node.chain.pay()
    node.lies["getrawtransaction"] = lambda found, _params: {**found, "hex": second.raw.hex()}

    answers = await source.look_up({first.id: ()}, 0)

    assert "came for" in answers[first.id].why  # type: ignore[union-attr]


# -- Single transactions


async def test_states_of_single_transactions(source: BitcoinSource, node: BitcoinNode) -> None:
    mined = node.chain.pay(fee=777)
    block = node.chain.mine()
    waiting = node.chain.pay()

    found = await source.look_up(dict.fromkeys([mined.id, waiting.id, UNKNOWN], ()), 0)

    included, seen, absent = found[mined.id], found[waiting.id], found[UNKNOWN]
    assert isinstance(included, Included)
    assert included.block == BlockRef(block.number, block.hash)
    assert included.outcome is not None
    assert included.outcome.fee == 777
    assert isinstance(seen, Seen)
    assert seen.transaction.slots == tuple(f"{coin.id}:{coin.index}" for coin in waiting.spends)
    assert isinstance(absent, Absent)


async def test_transaction_of_a_removed_block_only_is_absent(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    paid = node.chain.pay()
    node.chain.mine()
    node.chain.rollback(forget=[paid.id])
    node.chain.mine(2)

    found = await source.look_up({paid.id: ()}, 0)

    assert isinstance(found[paid.id], Absent)


async def test_claimed_block_without_the_transaction_is_unreadable(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    paid = node.chain.pay()
    other = node.chain.blocks[5]
    claim = {"blockhash": other.hash, "confirmations": 9}
    node.lies["getrawtransaction"] = lambda found, _params: {**found, **claim}

    found = await source.look_up({paid.id: ()}, 0)

    assert "does not have it" in found[paid.id].why  # type: ignore[union-attr]


async def test_node_below_our_height_proves_no_absence(source: BitcoinSource) -> None:
    assert await source.look_up({UNKNOWN: ()}, 10_000) == {}


# -- Without an index of transactions


async def test_without_an_index_an_unknown_transaction_is_not_absent(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    node.state.txindex = False

    assert await source.look_up({UNKNOWN: ()}, 0) == {}
    assert (await source.consensus({UNKNOWN: ()}, 0))[UNKNOWN].kind == "open"


async def test_without_an_index_an_unspent_input_proves_absence(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    node.state.txindex = False
    paid = node.chain.pay()
    slots = tuple(f"{coin.id}:{coin.index}" for coin in paid.spends)
    node.chain.evict(paid.id)

    found = await source.look_up({paid.id: slots}, 0)

    assert isinstance(found[paid.id], Absent)
    assert await source.consensus({paid.id: slots}, 0) == {paid.id: Consensus("absent", 1)}


async def test_without_an_index_a_spent_input_makes_it_missing_but_no_end(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    node.state.txindex = False
    paid = node.chain.pay()
    slots = tuple(f"{coin.id}:{coin.index}" for coin in paid.spends)
    node.chain.mine()

    found = await source.look_up({paid.id: slots}, 0)

    assert isinstance(found[paid.id], Absent)
    assert (await source.consensus({paid.id: slots}, 0))[paid.id].kind == "open"


async def test_pruned_block_leaves_the_fee_unknown(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    paid = node.chain.pay()
    node.chain.mine()
    block = await source.block((await source.head()).link.ref)
    node.state.pruned_below = 100_000

    outcome = (await source.outcomes(block, [paid.id]))[paid.id]

    assert outcome is not None
    assert (outcome.succeeded, outcome.fee) == (True, None)  # type: ignore[union-attr]


# -- Consensus


async def test_consensus_about_spent_and_missing_inputs(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    parent = node.chain.pay()
    child = node.chain.pay(spends=[Coin(parent.id, 0)], value=1_000)
    waiting = node.chain.pay()
    node.chain.pay(spends=parent.spends, fee=9_000)
    slots = {
        each.id: tuple(f"{coin.id}:{coin.index}" for coin in each.spends)
        for each in (parent, child, waiting)
    }

    before = await source.consensus(slots, 0)
    node.chain.mine()
    after = await source.consensus({key: slots[key] for key in (parent.id, child.id)}, 0)

    # The output of the parent is gone with it; that of the rewards is only wanted by another one.
    assert [before[key].kind for key in slots] == ["absent", "conflicted", "unmined"]
    assert [after[key].kind for key in after] == ["conflicted", "conflicted"]


async def test_consensus_is_open_while_a_block_has_the_transaction(
    source: BitcoinSource, node: BitcoinNode
) -> None:
    paid = node.chain.pay()
    block = node.chain.mine()

    (found,) = (await source.consensus({paid.id: ()}, 0)).values()

    assert found.kind == "open"
    assert block.hash in found.reason


# -- The network


async def test_network_is_recognised_by_its_first_block(source: BitcoinSource) -> None:
    assert source.name == "bitcoin:regtest"
    assert chain_of(source.name) == "bip122:0f9188f13cb7b2c71f2a335e3a4fc328"


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
async def test_configured_network_has_its_chain_id_before_the_first_check(
    profile: NetworkProfile,
) -> None:
    source = BitcoinSource("http://127.0.0.1:1", profile.name)

    assert chain_of(source.name) == f"bip122:{profile.genesis[:32]}"
    await source.close()


async def test_network_that_is_not_configured_is_unknown_before_the_first_check() -> None:
    source = BitcoinSource("http://127.0.0.1:1")

    with pytest.raises(RuntimeError, match="no name before check"):
        _ = source.name
    await source.close()


async def test_another_network_is_refused(node: BitcoinNode) -> None:
    source = BitcoinSource(node.url, "signet")

    with pytest.raises(WrongChainError, match="is on the network regtest, expected signet"):
        await source.check()
    await source.close()


async def test_unknown_network_is_refused(node: BitcoinNode) -> None:
    node.lies["getblockhash"] = lambda _found, _params: UNKNOWN
    source = BitcoinSource(node.url)

    with pytest.raises(WrongChainError, match=r"unknown network.*known are main, test"):
        await source.check()
    await source.close()


@pytest.mark.parametrize("text", ["", "0x" + "ab" * 32, "ab" * 31, "zz" * 32])
async def test_text_that_is_not_an_id_is_refused(source: BitcoinSource, text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal digits without 0x"):
        source.identify(text)


async def test_id_in_upper_case_is_the_same_id(source: BitcoinSource) -> None:
    assert source.identify("AB" * 32) == UNKNOWN


async def test_tag_is_not_a_requirement_on_bitcoin(source: BitcoinSource) -> None:
    with pytest.raises(ValueError, match="confirmations must be a number"):
        source.check_required("finalized")


async def test_error_about_the_block_is_kept(client: BitcoinClient, node: BitcoinNode) -> None:
    block = node.chain.blocks[7]
    request = listed_request(UNKNOWN, BlockRef(7, block.hash))

    (answer,) = await client.batch([request])

    assert isinstance(answer, ApplicationError)
    assert "in the provided block" in str(answer)
