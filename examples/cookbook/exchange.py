"""An exchange's deposits: a payment to the address of a customer fills that customer's account.

The wallets of the customers announce their deposits by hash. An announcement only says where to
look: what is credited, and to whom, is what the confirmed transaction says. Large deposits need
more confirmations, by a rule of the service.

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
from local import free_port, listen, service, subscribe

from transaction_tracker import RuleOptions
from txtrack_devnode import ETHER, DevelopmentNode
from txtrack_devnode.tokens import transfer_data

TABLES = """
CREATE TABLE IF NOT EXISTS customers (
    name TEXT PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,
    frozen TEXT NOT NULL DEFAULT ''   -- why nothing can be withdrawn
);
CREATE TABLE IF NOT EXISTS announced (
    tx TEXT PRIMARY KEY,
    registered INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT ''
);
-- Entries are only added, never changed: a balance is their sum.
CREATE TABLE IF NOT EXISTS entries (
    reference TEXT PRIMARY KEY,       -- a part of a transaction is credited once
    tx TEXT NOT NULL,
    customer TEXT NOT NULL REFERENCES customers (name),
    asset TEXT NOT NULL,
    amount TEXT NOT NULL              -- text: SQLite's integers have 64 bits
);
"""
# An announcement of a transaction that never comes is forgotten after this time.
EXPIRES_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Deposit:
    """A part of a transaction that pays to an address.

    Attributes:
        part: Which part: the coin, or the log of a transfer.
        asset: ``"ETH"``, or the name that the exchange gives a token.
        address: The address that is paid.
        amount: Amount in the smallest unit.
    """

    part: str
    asset: str
    address: str
    amount: int


def deposits(event: Event, tokens: dict[str, str]) -> Iterator[Deposit]:
    """Yield what a transaction pays to anybody.

    Args:
        event: Its event.
        tokens: Contracts of the listed tokens, with the exchange's own names. The symbol that a
            contract gives itself says nothing: anybody can create a contract with any symbol.
    """
    details = event.data["details"] or {}
    if details.get("value_wei") and details["to"] is not None:
        yield Deposit("coin", "ETH", details["to"], int(details["value_wei"]))
    for transfer in details.get("transfers") or ():
        asset = tokens.get(transfer["token"])
        if asset is not None and transfer["standard"] == "erc20":
            yield Deposit(str(transfer["index"]), asset, transfer["to"], int(transfer["value"]))


class Exchange:
    """The exchange: customers, announced transactions, and entries of the accounts."""

    def __init__(self, database: Path, api: str, secret: str, tokens: dict[str, str]) -> None:
        self._database = sqlite3.connect(database)
        self._api = api
        self._tokens = {contract.lower(): name for contract, name in tokens.items()}
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

    async def announce(self, tx: str) -> None:
        """Take the hash of a deposit from anybody: it is only a hint where to look."""
        with self._database:
            self._database.execute("INSERT OR IGNORE INTO announced (tx) VALUES (?)", [tx.lower()])
        await self.register()

    async def register(self) -> None:
        """Register what the service does not know yet; repeat it at the start and now and then."""
        query = "SELECT tx FROM announced WHERE NOT registered LIMIT 1000"
        waiting = [tx for (tx,) in self._database.execute(query)]
        if not waiting:
            return
        body = [{"id": tx, "expires_in": EXPIRES_SECONDS} for tx in waiting]
        try:
            async with aiohttp.ClientSession() as session:
                answer = await session.post(f"{self._api}/v1/transactions", json=body)
                results = (await answer.json())["results"]
        except (aiohttp.ClientError, KeyError, ValueError):  # down, or too busy: the next call
            return
        with self._database:
            for tx, result in zip(waiting, results, strict=True):
                note = "" if result["status"] == "accepted" else "refused"
                self._database.execute(
                    "UPDATE announced SET registered = 1, note = ? WHERE tx = ?", [note, tx]
                )

    def apply(self, event: Event) -> None:
        """Write the entries of an event; called within a database transaction."""
        if event.is_taken_back:
            self._take_back(event)
        elif event.state == "confirmed":
            self._credit(event)
        self._database.execute(
            "UPDATE announced SET note = ? WHERE tx = ?", [self._note(event), event.tx]
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

    def notes(self) -> dict[str, str]:
        """Return the last state of each announced transaction."""
        return dict(self._database.execute("SELECT tx, note FROM announced"))

    def _credit(self, event: Event) -> None:
        for deposit in deposits(event, self._tokens):
            query = "SELECT name FROM customers WHERE address = ?"
            row = self._database.execute(query, [deposit.address]).fetchone()
            if row is not None and deposit.amount:
                self._enter(event.tx, deposit.part, row[0], deposit.asset, deposit.amount)

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

    def _note(self, event: Event) -> str:
        details = event.data["details"] or {}
        shown = len(details.get("transfers") or ())
        if event.state == "confirmed" and (details.get("transfer_count") or 0) > shown:
            # An event has the first 100 transfers: a human reads the others from the chain.
            return "confirmed, with more transfers than the event has"
        return event.state


async def main() -> None:
    rules = (RuleOptions(value=100 * ETHER, confirmations=8),)
    with tempfile.TemporaryDirectory() as folder:
        async with DevelopmentNode() as node, service(node, rules=rules) as api:
            await _trade(node, api, Path(folder) / "exchange.db")


async def _trade(node: DevelopmentNode, api: str, database: Path) -> None:
    outside, usdc, fake, *addresses = node.chain.accounts
    port = free_port()
    secret = await subscribe(port)
    exchange = Exchange(database, api, secret, {usdc: "USDC"})
    names = ("alice", "bob", "carol", "dora")
    for name, address in zip(names, addresses, strict=False):
        exchange.open_account(name, address)
    alice, bob, carol, dora = addresses[:4]
    chain = node.chain
    sent = [
        chain.submit(outside, alice, 3 * ETHER).hash,
        chain.submit(outside, usdc, data=transfer_data(bob, 250_000_000)).hash,
        chain.submit(outside, fake, data=transfer_data(carol, 10**12)).hash,
        chain.submit(outside, dora, 200 * ETHER).hash,
    ]
    async with listen(exchange.inbox.receive, port):
        for tx in (*sent, sent[0]):  # somebody else announces the deposit of Alice again
            await exchange.announce(tx)
        await node.mine(2)
        # The blocks are replaced by others: nothing was credited yet, and it is credited once.
        chain.reorg(2)
        while any(exchange.notes()[tx] != "confirmed" for tx in sent[:3]):
            await node.mine()
            await asyncio.sleep(0.1)
    # It restarts: what it could not take is sent again.
    exchange.close()
    exchange = Exchange(database, api, secret, {usdc: "USDC"})
    await exchange.register()
    async with listen(exchange.inbox.receive, port):
        while exchange.notes()[sent[3]] != "confirmed":
            await node.mine()
            await asyncio.sleep(0.1)
    for (customer, asset), amount in exchange.balances().items():
        print(f"{customer:6} {asset:5} {amount}")
    exchange.close()


if __name__ == "__main__":
    asyncio.run(main())
