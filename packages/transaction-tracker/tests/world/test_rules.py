"""Rules by token and amount: payments that need more confirmations than the source requires."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker import EthereumSource, TransactionTracker
from transaction_tracker.domain import Required, RequiredBy, Rule
from transaction_tracker.follower.rule_options import RuleOptions

from ..signing import SENDER, legacy  # noqa: TID252
from .chain import Chain, Json, address, transaction
from .node import Node
from .test_details import CUSTOMER, SHOP, TOKEN, transfer_log
from .watching import pays, watch
from .world import CONFIRMATIONS, World, chain_of

VALUE = 10**18
OTHER_TOKEN = "0x" + "77" * 20
MANY = 30
COIN = Rule(MANY, VALUE)
TOKENS = Rule(MANY, 1_000, TOKEN)


def options(*rules: Rule) -> tuple[RuleOptions, ...]:
    return tuple(
        RuleOptions(token=rule.token or "native", value=rule.value, confirmations=rule.required)
        for rule in rules
    )


def payment_of(value: int, nonce: int = 7) -> Json:
    return transaction("customer", nonce, value=hex(value))


def world_with(chain: Chain, *rules: Rule, **settings: Any) -> World:
    nodes = (Node(chain, "one"), Node(chain, "two"))
    return World(*nodes, rules=options(*rules), **settings)


async def judged(world: World, item: Json) -> tuple[Required, RequiredBy]:
    tracked = await world.status(item)
    return tracked.required, tracked.required_by


def test_amount_of_the_coin_is_judged_while_the_payment_is_pending() -> None:
    large, small = payment_of(VALUE), payment_of(VALUE - 1, 8)
    chain = chain_of(100)
    world = world_with(chain, COIN)

    async def main() -> None:
        chain.wait(large, small)
        await world.track(large, small)
        assert await judged(world, large) == (CONFIRMATIONS, "setting")
        await world.becomes(large, "pending")
        await world.becomes(small, "pending")
        assert await judged(world, large) == (MANY, COIN)
        assert await judged(world, small) == (CONFIRMATIONS, "setting")

        chain.mine(large, small)
        await world.blocks(CONFIRMATIONS)
        await world.becomes(small, "confirmed")
        await world.blocks(MANY - CONFIRMATIONS - 3)
        assert (await world.status(large)).state == "mined"
        await world.blocks(4)
        await world.becomes(large, "confirmed")

    world.play(main)


@pytest.mark.parametrize(
    ("logs", "is_large"),
    [
        ([transfer_log(1_000)], True),
        ([transfer_log(999)], False),
        ([transfer_log(400), transfer_log(600, CUSTOMER)], True),
        ([transfer_log(10**9, token=OTHER_TOKEN)], False),
        ([], False),
    ],
    ids=["enough", "less", "sum", "another token", "nothing"],
)
def test_transfers_of_a_token_are_judged_once_a_block_has_them(
    logs: list[Json], is_large: bool
) -> None:
    payment = payment_of(0)
    chain = chain_of(100)
    world = world_with(chain, TOKENS)

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        assert await judged(world, payment) == (CONFIRMATIONS, "setting")
        chain.mine(payment, receipt={"logs": logs})
        await world.becomes(payment, "mined")
        wanted = (MANY, TOKENS) if is_large else (CONFIRMATIONS, "setting")
        assert await judged(world, payment) == wanted

    world.play(main)


@pytest.mark.parametrize("rule", [COIN, TOKENS])
def test_payment_that_is_deep_when_it_is_registered_does_not_end_before_it_is_judged(
    rule: Rule,
) -> None:
    payment = payment_of(VALUE)
    chain = chain_of(100)
    chain.mine(payment, receipt={"logs": [transfer_log(1_000)]})
    chain.grow(CONFIRMATIONS + 2)
    world = world_with(chain, rule)

    async def main() -> None:
        await world.reaches(chain)
        await world.track(payment)
        await world.becomes(payment, "mined")
        await world.blocks(3)
        assert await world.history(payment) == ["mined"]
        await world.blocks(MANY - CONFIRMATIONS)
        await world.becomes(payment, "confirmed")

    world.play(main)


@pytest.mark.parametrize("rules", [(COIN, Rule(20, 1)), (Rule(20, 1), COIN)])
def test_strictest_rule_counts_in_any_order(rules: tuple[Rule, ...]) -> None:
    payment = payment_of(VALUE)
    chain = chain_of(100)
    world = world_with(chain, *rules)

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        assert await judged(world, payment) == (MANY, COIN)

    world.play(main)


def test_rule_never_lowers_what_the_source_requires() -> None:
    payment = payment_of(VALUE)
    chain = chain_of(100)
    world = world_with(chain, Rule(2, 1))

    async def main() -> None:
        chain.mine(payment)
        await world.track(payment)
        await world.becomes(payment, "mined")
        assert await judged(world, payment) == (CONFIRMATIONS, "setting")

    world.play(main)


def test_number_of_the_user_outweighs_each_rule() -> None:
    registered, changed = payment_of(VALUE), payment_of(VALUE, 8)
    chain = chain_of(100)
    world = world_with(chain, COIN, TOKENS)

    async def main() -> None:
        chain.wait(registered, changed)
        await world.track(registered, confirmations=3)
        await world.track(changed)
        await world.becomes(changed, "pending")
        assert await judged(world, changed) == (MANY, COIN)
        await TransactionTracker.change(changed["hash"], confirmations=4)
        chain.mine(registered, changed, receipt={"logs": [transfer_log(1_000)]})
        await world.becomes(registered, "mined")
        assert await judged(world, registered) == (3, "request")
        assert await judged(world, changed) == (4, "request")
        await world.blocks(4)
        await world.becomes(registered, "confirmed")
        await world.becomes(changed, "confirmed")

    world.play(main)


def test_change_to_the_number_that_is_required_already_is_kept_from_the_rules() -> None:
    payment = payment_of(VALUE)
    chain = chain_of(100)
    world = world_with(chain, COIN)

    async def main() -> None:
        await world.track(payment)
        await TransactionTracker.change(payment["hash"], confirmations=CONFIRMATIONS)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        assert await judged(world, payment) == (CONFIRMATIONS, "request")

    world.play(main)


def test_change_of_the_deadline_keeps_the_rule() -> None:
    payment = payment_of(VALUE)
    chain = chain_of(100)
    world = world_with(chain, COIN)

    async def main() -> None:
        chain.wait(payment)
        await world.track(payment)
        await world.becomes(payment, "pending")
        await TransactionTracker.change(payment["hash"], deadline=None)
        assert await judged(world, payment) == (MANY, COIN)

    world.play(main)


def test_raw_transaction_is_judged_at_its_registration() -> None:
    raw = legacy(5, SHOP, VALUE)
    known = EthereumSource("http://127.0.0.1:1", 1).signed(raw)
    chain = chain_of(100)
    chain.mine(transaction(SENDER, 4))
    world = world_with(chain, COIN)

    async def main() -> None:
        await TransactionTracker.start(raw=raw)
        assert await judged(world, {"hash": known.id}) == (MANY, COIN)

    world.play(main)


@pytest.mark.parametrize(
    "rules", [(), (Rule(100, 1), Rule(100, 0, TOKEN))], ids=["without rules", "with other rules"]
)
def test_changed_configuration_does_not_change_what_was_told(
    tmp_path: Path, rules: Iterable[Rule]
) -> None:
    payment, plain = payment_of(VALUE), payment_of(0, 8)
    chain = chain_of(100)
    world = world_with(chain, COIN, database=tmp_path / "rules.db")

    async def main() -> None:
        await world.start()
        chain.mine(payment, plain, receipt={"logs": [transfer_log(1)]})
        await world.track(payment, plain)
        await world.becomes(payment, "mined")
        await world.becomes(plain, "mined")
        await world.stop()
        world.settings = world.settings.replace(rules=options(*rules))
        await world.start()
        await world.blocks(3)
        await TransactionTracker.recheck(payment["hash"])
        await world.blocks(CONFIRMATIONS - 2)
        assert await judged(world, payment) == (MANY, COIN)
        assert await judged(world, plain) == (CONFIRMATIONS, "setting")
        await world.becomes(plain, "confirmed")

    world.simulate(main)


def test_reorganisation_to_a_block_with_more_transfers_raises_the_number() -> None:
    payment = payment_of(0)
    chain = chain_of(100)
    other = chain.fork(99, "other")
    nodes = (Node(chain, "one"),)
    world = World(*nodes, rules=options(TOKENS))

    async def main() -> None:
        await world.track(payment)
        chain.mine(payment)
        await world.becomes(payment, "mined")
        assert await judged(world, payment) == (CONFIRMATIONS, "setting")
        other.mine(payment, receipt={"logs": [transfer_log(1_000)]})
        other.grow(3)
        nodes[0].chain = other
        await world.reaches(other)
        await world.becomes(payment, "mined")
        assert await judged(world, payment) == (MANY, TOKENS)

    world.play(main)


def test_unreadable_logs_count_as_reached() -> None:
    payment = payment_of(0)
    chain = chain_of(100)
    world = world_with(chain, TOKENS)

    async def main() -> None:
        chain.mine(payment, receipt={"logs": 7})
        await world.track(payment)
        await world.becomes(payment, "mined")
        assert await judged(world, payment) == (MANY, TOKENS)

    world.play(main)


def test_api_says_which_rule_chose_the_number() -> None:
    payment, plain = payment_of(VALUE), payment_of(1, 8)
    chain = chain_of(100)
    world = world_with(chain, COIN)

    async def main() -> None:
        chain.wait(payment, plain)
        await world.track(payment)
        await world.track(plain, confirmations=2)
        await world.becomes(payment, "pending")
        shown = (await world.get(f"/v1/transactions/{payment['hash']}")).content
        rule = {"token": None, "value": str(VALUE), "confirmations": MANY}
        assert (shown["required"], shown["required_by"], shown["rule"]) == (MANY, "rule", rule)
        note = f"The rule for {VALUE} or more of the chain's smallest unit requires 30 confirma"
        assert any(note in text for text in shown["why"]["notes"])
        shown = (await world.get(f"/v1/transactions/{plain['hash']}")).content
        assert (shown["required"], shown["required_by"], shown["rule"]) == (2, "request", None)

    world.play(main)


def test_deposit_to_a_watched_address_obeys_the_rules_unless_the_address_says_more() -> None:
    usual, own = pays("customer", 7, SHOP, VALUE), pays("payer", 7, address("till"), VALUE)
    chain = chain_of(100)
    world = world_with(chain, COIN)

    async def main() -> None:
        await world.reaches(chain)
        await watch(SHOP)
        await watch(address("till"), required=4)
        chain.mine(usual, own)
        await world.reaches(chain)
        assert await judged(world, usual) == (MANY, COIN)
        assert await judged(world, own) == (4, "request")

    world.play(main)
