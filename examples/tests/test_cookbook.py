"""The programs of the cookbook: they run, and nothing that goes wrong has a second effect."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession, web
from standardwebhooks import Webhook

ROOT = Path(__file__).parents[2]
COOKBOOK = ROOT / "examples" / "cookbook"
PAGES = ROOT / "docs" / "tracker" / "cookbook"
sys.path.insert(0, str(COOKBOOK))

from exchange import Exchange  # noqa: E402
from inbox import Event, Inbox  # noqa: E402
from local import free_port, listen  # noqa: E402
from shop import Shop  # noqa: E402
from treasury import Treasury  # noqa: E402
from wallet import Wallet  # noqa: E402

sys.path.remove(str(COOKBOOK))

SECRET = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"
TX, ALICE, TOKEN = "0x" + "1" * 64, "0x" + "a" * 40, "0x" + "7" * 40
NOWHERE = "http://127.0.0.1:1"


def event(state: str, version: int = 1, **data: Any) -> dict[str, Any]:
    """Return the data of an event."""
    usual = {"details": None, "deposits": None, "expectation": None, "flags": [], "reason": None}
    return {"id": TX, "version": version, "state": state} | usual | data


def paid(**data: Any) -> dict[str, Any]:
    """Return the data of an event of a payment of 5 to Alice, which ended."""
    details = {"to": ALICE, "value_wei": "5", "transfers": [], "transfer_count": 0}
    expectation = {"matches": True, "differences": []}
    return event("confirmed", 3, details=details, expectation=expectation) | data


def printed(program: str) -> str:
    ran = subprocess.run(
        [sys.executable, str(COOKBOOK / program)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.parametrize("program", ["shop", "exchange", "treasury"])
def test_program_prints_what_its_page_says(program: str) -> None:
    _, _, shown = (PAGES / f"{program}.md").read_text().partition(f"cookbook/{program}.py\n")

    assert printed(f"{program}.py") == shown.partition("```")[0]


def excerpts() -> Iterator[tuple[str, str]]:
    for page in sorted(PAGES.glob("*.md")):
        for block in page.read_text().split("```text\n")[1:]:
            text = block.partition("```")[0]
            if not text.startswith("$"):
                yield page.stem, text


@pytest.mark.parametrize(("page", "text"), list(excerpts()))
def test_excerpt_of_a_page_is_in_the_program(page: str, text: str) -> None:
    program = COOKBOOK / f"{'inbox' if page == 'index' else page}.py"

    assert text in program.read_text()


class Effects:
    """An inbox whose effects are rows of its database."""

    def __init__(self, path: Path) -> None:
        import sqlite3

        self.database = sqlite3.connect(path)
        self.database.execute("CREATE TABLE IF NOT EXISTS effects (state TEXT)")
        self.fails = False
        self.inbox = Inbox(self.database, SECRET, self._apply)

    @property
    def states(self) -> list[str]:
        return [state for (state,) in self.database.execute("SELECT state FROM effects")]

    def _apply(self, found: Event) -> None:
        self.database.execute("INSERT INTO effects VALUES (?)", [found.state])
        if self.fails:
            raise RuntimeError("the program crashes")


@pytest.fixture
def effects(tmp_path: Path) -> Iterator[Effects]:
    found = Effects(tmp_path / "inbox.db")
    with closing(found.database):
        yield found


def test_repeated_delivery_has_one_effect(effects: Effects) -> None:
    assert effects.inbox.take("one", event("mined"))
    assert not effects.inbox.take("one", event("mined"))

    assert effects.states == ["mined"]


def test_older_event_has_no_effect_after_a_newer_one(effects: Effects) -> None:
    effects.inbox.take("two", event("confirmed", 2))

    assert not effects.inbox.take("one", event("mined", 1))
    assert effects.states == ["confirmed"]


def test_event_during_whose_effect_the_program_crashes_is_applied_later(effects: Effects) -> None:
    effects.fails = True
    with pytest.raises(RuntimeError):
        effects.inbox.take("one", event("mined"))
    effects.fails = False

    assert effects.states == []
    assert effects.inbox.take("one", event("mined"))


def test_inbox_remembers_over_a_restart(effects: Effects, tmp_path: Path) -> None:
    effects.inbox.take("one", event("mined"))

    again = Effects(tmp_path / "inbox.db")
    with closing(again.database):
        assert not again.inbox.take("one", event("mined"))


@pytest.mark.parametrize(
    ("kind", "secret", "status", "states"),
    [
        ("transaction.mined", SECRET, 204, ["mined"]),
        ("transaction.mined", "whsec_" + "A" * 32, 400, []),
        ("transaction_tracker.test", SECRET, 204, []),
        ("alert.source.halted", SECRET, 204, []),
    ],
)
async def test_only_a_signed_event_has_an_effect(
    effects: Effects, kind: str, secret: str, status: int, states: list[str]
) -> None:
    body = json.dumps({"type": kind, "data": event("mined")})
    now = datetime.now(UTC)
    headers = {
        "webhook-id": f"{TX}:1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(f"{TX}:1", now, body),
    }
    port = free_port()

    async with listen(effects.inbox.receive, port), ClientSession() as session:
        answer = await session.post(f"http://127.0.0.1:{port}/hook", data=body, headers=headers)

    assert (answer.status, effects.states) == (status, states)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    found = Shop(tmp_path / "shop.db", NOWHERE, SECRET)
    found.order("lamp", ALICE, 5)
    yield found
    found.close()


BACK = [{"state": "reversed", "version": 9}, {"state": "pending", "flags": ["finality_violation"]}]


@pytest.mark.parametrize("back", BACK)
async def test_paid_order_is_disputed_when_its_payment_is_taken_back(
    shop: Shop, back: dict[str, Any]
) -> None:
    await shop.announce("lamp", TX)
    shop.inbox.take("3", paid())
    assert shop.states()["lamp"] == ("paid", "")

    shop.inbox.take("4", paid(version=4) | back)
    shop.inbox.take("9", paid(version=10, flags=["finality_violation"]))

    assert shop.states()["lamp"][0] == "disputed"


async def test_payment_waits_in_the_shop_while_the_service_is_down(
    shop: Shop, tmp_path: Path
) -> None:
    assert await shop.announce("lamp", TX)
    shop.close()
    sent: list[Any] = []

    async def register(request: web.Request) -> web.Response:
        sent.append(await request.json())
        return web.json_response({"results": [{"status": "accepted"}]})

    app = web.Application()
    app.router.add_post("/v1/transactions", register)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    again = Shop(tmp_path / "shop.db", f"http://127.0.0.1:{runner.addresses[0][1]}", SECRET)
    await again.register()
    await again.register()
    again.close()
    await runner.cleanup()

    ((registration,),) = sent
    assert registration["id"] == TX
    assert registration["expect"] == {"to": ALICE, "min_value": "5"}


async def test_two_orders_cannot_be_paid_by_one_transaction(shop: Shop) -> None:
    shop.order("book", "0x" + "b" * 40, 5)

    assert await shop.announce("lamp", TX)
    assert not await shop.announce("book", TX)


@pytest.fixture
def exchange(tmp_path: Path) -> Iterator[Exchange]:
    found = Exchange(tmp_path / "exchange.db", NOWHERE, SECRET, {TOKEN: "USDC"})
    found.open_account("alice", ALICE)
    yield found
    found.close()


def deposited(value: str = "5", token: str | None = None, address: str = ALICE) -> Any:
    return {"address": address, "token": token, "value": value}


def test_each_deposit_of_a_transaction_is_credited_once(exchange: Exchange) -> None:
    found = [deposited(), deposited("8", TOKEN), deposited("1", address="0x" + "b" * 40)]

    exchange.inbox.take("3", paid(deposits=found))
    exchange.inbox.take("4", paid(deposits=found, version=4))

    assert exchange.balances() == {("alice", "ETH"): 5, ("alice", "USDC"): 8}


@pytest.mark.parametrize("found", [None, [], [deposited(token="0x" + "6" * 40)]])
def test_only_deposits_of_listed_tokens_are_credited(exchange: Exchange, found: Any) -> None:
    exchange.inbox.take("3", paid(deposits=found))

    assert exchange.balances() == {}


def test_deposit_is_shown_before_it_is_credited(exchange: Exchange) -> None:
    exchange.inbox.take("1", event("mined", deposits=[deposited()]))

    assert exchange.states() == {TX: "mined"}
    assert exchange.balances() == {}


async def test_addresses_are_watched_once_also_after_the_service_was_down(
    exchange: Exchange,
) -> None:
    with pytest.raises(ClientError):
        await exchange.watch()
    sent: list[Any] = []

    async def watch(request: web.Request) -> web.Response:
        sent.append(await request.json())
        return web.json_response({"results": [{"status": "accepted"}]})

    app = web.Application()
    app.router.add_post("/v1/addresses", watch)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    exchange._api = f"http://127.0.0.1:{runner.addresses[0][1]}"
    for _ in range(2):
        await exchange.watch()
    await runner.cleanup()

    assert sent == [[{"address": ALICE, "metadata": {"customer": "alice"}}]]


@pytest.mark.parametrize("back", BACK)
def test_credit_is_taken_back_once_and_the_account_is_frozen(
    exchange: Exchange, back: dict[str, Any]
) -> None:
    found = paid(deposits=[deposited()])
    exchange.inbox.take("3", found)

    for version in (9, 10):
        exchange.inbox.take(str(version), found | back | {"version": version})

    assert exchange.balances() == {("alice", "ETH"): 0}
    assert "alice" in exchange.frozen()


@pytest.fixture
def treasury(tmp_path: Path) -> Iterator[Treasury]:
    wallet = Wallet(bytes(range(1, 33)), chain_id=31337)
    found = Treasury(tmp_path / "treasury.db", wallet, NOWHERE, NOWHERE)
    yield found
    found.close()


def test_repeated_request_signs_one_payout(treasury: Treasury) -> None:
    for _ in range(2):
        treasury.sign("rent", ALICE, 5, 10**9)
    treasury.sign("tax", ALICE, 5, 10**9)

    rows = treasury._database.execute("SELECT payout, tx FROM attempts").fetchall()
    assert [payout for payout, _ in rows] == ["rent", "tax"]
    assert len({tx for _, tx in rows}) == 2


async def test_crash_after_the_sending_sends_the_same_transaction_again(
    treasury: Treasury,
) -> None:
    treasury.sign("rent", ALICE, 5, 10**9)
    sent: list[str] = []

    async def crash(_session: object, raw: str) -> None:
        sent.append(raw)
        if len(sent) == 1:
            raise asyncio.CancelledError

    async def register(request: web.Request) -> web.Response:
        return web.json_response({"accepted": 1})

    app = web.Application()
    app.router.add_post("/v1/transactions", register)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    treasury._api = f"http://127.0.0.1:{runner.addresses[0][1]}"
    treasury._broadcast = crash  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await treasury.send()
    await treasury.send()
    await treasury.send()
    await runner.cleanup()

    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert treasury.states()["rent"][0] == "sent"


def test_only_a_replacement_by_somebody_else_is_a_theft(treasury: Treasury) -> None:
    treasury.sign("rent", ALICE, 5, 10**9)
    treasury._database.execute("UPDATE payouts SET state = 'sent'")
    treasury.raise_fee("rent", 2 * 10**9)
    first, second = (tx for (tx,) in treasury._database.execute("SELECT tx FROM attempts"))

    treasury.apply(Event(first, 3, "replaced", event("replaced", superseded_by=second)))
    assert treasury.states()["rent"][0] == "sent"
    treasury.apply(Event(second, 2, "confirmed", event("confirmed")))
    assert treasury.states()["rent"] == ("paid", second)
    treasury.apply(Event(second, 3, "replaced", event("replaced", superseded_by=TX)))
    assert treasury.states()["rent"][0] == "stolen"
