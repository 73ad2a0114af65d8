"""A shop's checkout: an order, the payment that it expects, and what becomes of it.

The customer pays and hands in the hash of the transaction. The tracker says when it is final and
whether it is the payment of this order; the shop delivers then, and not before.

Run it: ``python examples/cookbook/shop.py``
"""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import aiohttp
from inbox import Event, Inbox
from local import free_port, listen, mine, service, subscribe

from txtrack_devnode import ETHER, DevelopmentNode

TABLES = """
CREATE TABLE IF NOT EXISTS orders (
    id TEXT PRIMARY KEY,
    address TEXT NOT NULL UNIQUE,     -- an address of its own: a payment belongs to one order
    wei TEXT NOT NULL,                -- text: SQLite's integers have 64 bits
    pay_until REAL NOT NULL,
    tx TEXT UNIQUE,                   -- a transaction pays one order only
    registered INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'open',
    note TEXT NOT NULL DEFAULT ''
);
"""
# How long a transaction that was handed in can take to get into a block.
MINED_WITHIN_SECONDS = 3_600.0
# The payment failed: the customer can pay again.
_FAILED = ("failed", "replaced", "dropped", "expired", "invalid", "untracked")


class Shop:
    """The shop: its orders in its own database, and the service that tracks the payments.

    States of an order: open, announced (a hash was handed in), paid, underpaid, wrong payment,
    unpaid (it can be paid again), timed out, and disputed (paid, and taken back).
    """

    def __init__(self, database: Path, api: str, secret: str) -> None:
        self._database = sqlite3.connect(database)
        self._api = api
        self.changed = asyncio.Event()
        self.inbox = Inbox(self._database, secret, self.apply)
        self._database.executescript(TABLES)

    def close(self) -> None:
        """Close the database; a new shop on the same file goes on where this one stopped."""
        self._database.close()

    def order(self, order: str, address: str, wei: int, *, pay_within: float = 900.0) -> None:
        """Open an order."""
        row = (order, address.lower(), str(wei), time.time() + pay_within)
        with self._database:
            self._database.execute(
                "INSERT INTO orders (id, address, wei, pay_until) VALUES (?, ?, ?, ?)", row
            )

    async def announce(self, order: str, tx: str) -> bool:
        """Take the hash of a customer's payment; return whether it can be one.

        It is stored before it is registered: a crash in between must not lose it.
        """
        try:
            with self._database:
                row = self._database.execute(
                    "UPDATE orders SET tx = ?, state = 'announced', registered = 0, note = '' "
                    "WHERE id = ? AND state IN ('open', 'unpaid')",
                    (tx.lower(), order),
                )
        except sqlite3.IntegrityError:  # another order has this transaction
            return False
        await self.register()
        return row.rowcount == 1

    async def register(self) -> None:
        """Register the payments that the service does not know yet.

        Called at the start, after each change and now and then: if the service cannot be reached,
        nothing is lost. The registration of a known transaction changes nothing.
        """
        rows = self._database.execute(
            "SELECT id, address, wei, tx FROM orders WHERE state = 'announced' AND NOT registered"
        ).fetchall()
        if not rows:
            return
        body = [
            {
                "id": tx,
                "expires_in": MINED_WITHIN_SECONDS,
                "metadata": {"order": order},
                # At least: a customer who pays too much has paid.
                "expect": {"to": address, "min_value": wei},
            }
            for order, address, wei, tx in rows
        ]
        try:
            async with aiohttp.ClientSession() as session:
                answer = await session.post(f"{self._api}/v1/transactions", json=body)
                results = (await answer.json())["results"]
        except (aiohttp.ClientError, KeyError, ValueError):  # down, or too busy: the next call
            return
        with self._database:
            for (order, *_), result in zip(rows, results, strict=True):
                if result["status"] == "accepted":
                    self._database.execute("UPDATE orders SET registered = 1 WHERE id = ?", [order])
                else:
                    reason = "; ".join(error["detail"] for error in result["errors"])
                    self._set(order, "unpaid", reason)

    def apply(self, event: Event) -> None:
        """Write what an event means for its order; called within a database transaction."""
        row = self._database.execute("SELECT id, state FROM orders WHERE tx = ?", [event.tx])
        found = row.fetchone()
        if found is None:  # another program's transaction, or one of an earlier attempt
            return
        order, before = found
        if event.is_taken_back:
            # It had ended. Stop the parcel, and let a human decide.
            self._set(order, "disputed", f"the payment was taken back after it was {before}")
        elif event.state == "confirmed":
            self._set(order, *_verdict(event))
        elif event.state == "replaced" and event.data["reason"] == "repriced":
            # The same payment at another price: the wallet of the customer sent it again.
            self._database.execute(
                "UPDATE orders SET tx = ?, registered = 0 WHERE id = ?",
                [event.data["superseded_by"], order],
            )
        elif event.state in _FAILED:
            self._set(order, "unpaid", f"the payment is {event.state}")
        self.changed.set()

    def close_overdue(self) -> None:
        """Close the orders for which no payment was handed in in time.

        An announced payment is not closed here: its registration has a deadline, and the tracker
        judges it with what all providers know.
        """
        with self._database:
            self._database.execute(
                "UPDATE orders SET state = 'timed out' WHERE state IN ('open', 'unpaid') "
                "AND pay_until < ?",
                [time.time()],
            )

    def states(self) -> dict[str, tuple[str, str]]:
        """Return the state of each order, with a note."""
        rows = self._database.execute("SELECT id, state, note FROM orders ORDER BY id")
        return {order: (state, note) for order, state, note in rows}

    def are(self, orders: Iterable[str], states: Iterable[str]) -> bool:
        """Return whether all of some orders are in one of some states."""
        now = self.states()
        return all(now[order][0] in states for order in orders)

    def _set(self, order: str, state: str, note: str = "") -> None:
        self._database.execute(
            "UPDATE orders SET state = ?, note = ? WHERE id = ?", [state, note, order]
        )


def _verdict(event: Event) -> tuple[str, str]:
    """Return the state of an order whose payment is confirmed, and a note."""
    if event.is_expected:
        return "paid", ""
    differences = event.differences
    if set(differences) == {"min_value"}:
        return "underpaid", f"only {differences['min_value']} wei came"
    return "wrong payment", f"other {', '.join(differences) or 'facts'} than expected"


async def follow(shop: Shop, stop: asyncio.Event) -> None:
    """Do what is due after each event, and every second."""
    while not stop.is_set():
        shop.changed.clear()
        await shop.register()
        shop.close_overdue()
        try:
            await asyncio.wait_for(shop.changed.wait(), 1.0)
        except TimeoutError:
            continue


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with DevelopmentNode() as node, service(node) as api:
            await _sell(node, api, Path(folder) / "shop.db")


async def _sell(node: DevelopmentNode, api: str, database: Path) -> None:
    customer, *addresses = node.chain.accounts
    port = free_port()
    secret = await subscribe(port)
    shop = Shop(database, api, secret)
    orders = ("book", "lamp", "chair", "clock", "radio", "plant")
    for order, address in zip(orders, addresses, strict=False):
        shop.order(order, address, 2 * ETHER, pay_within=0.0 if order == "plant" else 900.0)
    sent = {
        order: node.chain.submit(customer, address, value).hash
        for order, address, value in zip(
            orders,
            (*addresses[:3], addresses[0], addresses[4]),
            (2 * ETHER, ETHER, 2 * ETHER, 2 * ETHER, 2 * ETHER),
            strict=False,
        )
    }
    node.chain.revert(sent["radio"], "no")
    async with listen(shop.inbox.receive, port):
        for order, tx in sent.items():
            await shop.announce(order, tx)
        print("the payment of the book for the plant:", await shop.announce("plant", sent["book"]))
        node.chain.replace(sent["chair"], "repriced")
    # The shop restarts while its customers pay: the service sends again what it could not deliver.
    shop.close()
    await node.mine(4)
    shop = Shop(database, api, secret)
    stop = asyncio.Event()
    async with listen(shop.inbox.receive, port), asyncio.TaskGroup() as tasks:
        tasks.create_task(follow(shop, stop))
        await mine(node, lambda: shop.are(orders, ENDS))
        stop.set()
    for order, (state, note) in shop.states().items():
        print(f"{order:6} {state}{f': {note}' if note else ''}")
    shop.close()


ENDS = ("paid", "underpaid", "wrong payment", "unpaid", "timed out", "disputed")

if __name__ == "__main__":
    asyncio.run(main())
