"""An exchange's deposits: a payment to the address of a customer fills that customer's account.

The service watches the addresses: nobody announces a deposit. What is credited, and to whom, is
what the event of the confirmed transaction says. Large deposits need more confirmations, by a rule
of the service.

Run it: ``python examples/cookbook/exchange.py``
"""

import asyncio
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from inbox import Event, Inbox
from local import free_port, listen, mine, service, subscribe

from transaction_tracker import RuleOptions
from txtrack_devnode import ETHER, DevelopmentNode
from txtrack_devnode.tokens import transfer_data

TABLES = """
CREATE TABLE IF NOT EXISTS customers (
    name TEXT PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    watched INTEGER NOT NULL DEFAULT 0,
    frozen TEXT NOT NULL DEFAULT ''   -- why nothing can be withdrawn
);
-- For the customers, who want to see that their deposit is on its way.
CREATE TABLE IF NOT EXISTS deposits (tx TEXT PRIMARY KEY, state TEXT NOT NULL);
-- Entries are only added, never changed: a balance is their sum.
CREATE TABLE IF NOT EXISTS entries (
    reference TEXT PRIMARY KEY,       -- a part of a transaction is credited once
    tx TEXT NOT NULL,
    customer TEXT NOT NULL REFERENCES customers (name),
    asset TEXT NOT NULL,
    amount TEXT NOT NULL              -- text: SQLite's integers have 64 bits
);
"""


@dataclass(frozen=True, slots=True)
class Deposit:
    """What a transaction pays to an address, in one currency.

    Attributes:
        address: The address that is paid.
        token: Contract of the token; ``None`` for the chain's coin.
        amount: Amount in the smallest unit.
    """

    address: str
    token: str | None
    amount: int


def deposits(event: Event) -> Iterator[Deposit]:
    """Yield what a transaction pays to watched addresses."""
    for each in event.data["deposits"] or ():
        yield Deposit(each["address"], each["token"], int(each["value"]))


class Exchange:
    """The exchange: customers, their addresses, and entries of their accounts.

    Args:
        database: File of the exchange's own database.
        api: URL of the service.
        secret: Secret of the webhook endpoint.
        tokens: Contracts of the listed tokens, with the exchange's own names. The symbol that a
            contract gives itself says nothing: anybody can create a contract with any symbol.
    """

    def __init__(self, database: Path, api: str, secret: str, tokens: dict[str, str]) -> None:
        self._database = sqlite3.connect(database)
        self._api = api
        self._assets: dict[str | None, str] = {None: "ETH"}
        self._assets |= {contract.lower(): name for contract, name in tokens.items()}
        self.inbox = Inbox(self._database, secret, self.apply)
        self._database.executescript(TABLES)

    def close(self) -> None:
        """Close the database; a new exchange on the same file goes on where this one stopped."""
        self._database.close()

    def open_account(self, customer: str, address: str) -> None:
        """Add a customer, with an address of their own."""
        with self._database:
            self._database.execute(
                "INSERT OR IGNORE INTO customers (name, address) VALUES (?, ?)",
                [customer, address.lower()],
            )

    async def watch(self) -> None:
        """Have new addresses watched; repeat it at the start, and before an address is shown."""
        query = "SELECT name, address FROM customers WHERE NOT watched LIMIT 1000"
        waiting = self._database.execute(query).fetchall()
        if not waiting:
            return
        body = [{"address": address, "metadata": {"customer": name}} for name, address in waiting]
        async with aiohttp.ClientSession(raise_for_status=True) as session:
            answer = await session.post(f"{self._api}/v1/addresses", json=body)
            results = (await answer.json())["results"]
        with self._database:
            for (name, _), result in zip(waiting, results, strict=True):
                if result["status"] == "accepted":
                    self._database.execute(
                        "UPDATE customers SET watched = 1 WHERE name = ?", [name]
                    )

    def apply(self, event: Event) -> None:
        """Write the entries of an event; called within a database transaction."""
        if event.is_taken_back:
            self._take_back(event)
        elif event.state == "confirmed":
            self._credit(event)
        self._database.execute(
            "INSERT OR REPLACE INTO deposits VALUES (?, ?)", [event.tx, event.state]
        )

    def balances(self) -> dict[tuple[str, str], int]:
        """Return the balance of each customer and asset, in the smallest unit."""
        found: dict[tuple[str, str], int] = {}
        query = "SELECT customer, asset, amount FROM entries ORDER BY customer, asset"
        for customer, asset, amount in self._database.execute(query):
            found[customer, asset] = found.get((customer, asset), 0) + int(amount)
        return found

    def frozen(self) -> dict[str, str]:
        """Return the customers who cannot withdraw, with the reason."""
        return dict(self._database.execute("SELECT name, frozen FROM customers WHERE frozen != ''"))

    def states(self) -> dict[str, str]:
        """Return the last state of each deposit."""
        return dict(self._database.execute("SELECT tx, state FROM deposits"))

    def _credit(self, event: Event) -> None:
        for deposit in deposits(event):
            query = "SELECT name FROM customers WHERE address = ?"
            row = self._database.execute(query, [deposit.address]).fetchone()
            asset = self._assets.get(deposit.token)
            if row is not None and asset is not None:
                self._enter(event.tx, f"{asset} {row[0]}", row[0], asset, deposit.amount)

    def _take_back(self, event: Event) -> None:
        """Enter the opposite of all entries of a transaction, and freeze the accounts."""
        query = "SELECT reference, customer, asset, amount FROM entries WHERE tx = ?"
        for reference, customer, asset, amount in self._database.execute(
            query, [event.tx]
        ).fetchall():
            if reference.endswith(" back"):
                continue
            part = f"{reference.removeprefix(f'{event.tx} ')} back"
            self._enter(event.tx, part, customer, asset, -int(amount))
            self._database.execute(
                "UPDATE customers SET frozen = ? WHERE name = ?",
                [f"deposit {event.tx} was taken back", customer],
            )

    def _enter(self, tx: str, part: str, customer: str, asset: str, amount: int) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO entries VALUES (?, ?, ?, ?, ?)",
            [f"{tx} {part}", tx, customer, asset, str(amount)],
        )


async def main() -> None:
    rules = (RuleOptions(value=100 * ETHER, confirmations=8),)
    async with DevelopmentNode() as node:
        usdc = node.chain.accounts[1]
        watched = {"tokens": [{"address": usdc}]}
        with tempfile.TemporaryDirectory() as folder:
            async with service(node, rules=rules, addresses=watched) as api:
                await _trade(node, api, Path(folder) / "exchange.db", {usdc: "USDC"})


async def _trade(node: DevelopmentNode, api: str, database: Path, tokens: dict[str, str]) -> None:
    outside, usdc, fake, alice, bob, carol, dora, *_ = node.chain.accounts
    port = free_port()
    secret = await subscribe(port)
    exchange = Exchange(database, api, secret, tokens)
    customers = {"alice": alice, "bob": bob, "carol": carol, "dora": dora}
    for name, address in customers.items():
        exchange.open_account(name, address)
    await exchange.watch()
    chain = node.chain
    of_alice = chain.submit(outside, alice, 3 * ETHER).hash
    of_bob = chain.submit(outside, usdc, data=transfer_data(bob, 250_000_000)).hash
    chain.submit(outside, fake, data=transfer_data(carol, 10**12))
    of_dora = chain.submit(outside, dora, 200 * ETHER).hash

    def is_confirmed(*transactions: str) -> bool:
        states = exchange.states()
        return all(states.get(tx) == "confirmed" for tx in transactions)

    async with listen(exchange.inbox.receive, port):
        await node.mine(2)
        # The blocks are replaced by others: nothing was credited yet, and it is credited once.
        chain.reorg(2)
        await mine(node, lambda: is_confirmed(of_alice, of_bob))
    # It restarts: what it could not take is sent again.
    exchange.close()
    exchange = Exchange(database, api, secret, tokens)
    await exchange.watch()
    async with listen(exchange.inbox.receive, port):
        await mine(node, lambda: is_confirmed(of_dora))
    for (customer, asset), amount in exchange.balances().items():
        print(f"{customer:6} {asset:5} {amount}")
    exchange.close()


if __name__ == "__main__":
    asyncio.run(main())
