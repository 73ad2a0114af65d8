"""A treasury's payouts: each is paid once, whatever crashes, gets stuck or is replaced.

A payout is signed and stored before anything else sees it. Signed twice with the same nonce, only
one of both transactions can ever be mined, so a retry never pays twice. The treasury reads the
tracker's events from the feed, and stores the cursor together with their effects.

Run it: ``python examples/cookbook/treasury.py``
"""

import asyncio
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import aiohttp
from inbox import Event
from local import service
from wallet import Wallet, read_raw

from txtrack_devnode import ETHER, GWEI, Chain, DevelopmentNode

TABLES = """
CREATE TABLE IF NOT EXISTS payouts (
    id TEXT PRIMARY KEY,              -- of the request: a repeated request pays once
    recipient TEXT NOT NULL,
    wei TEXT NOT NULL,
    nonce INTEGER NOT NULL UNIQUE,
    state TEXT NOT NULL DEFAULT 'signed',
    note TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS attempts (
    tx TEXT PRIMARY KEY,
    payout TEXT NOT NULL REFERENCES payouts (id),
    raw TEXT NOT NULL,
    gas_price INTEGER NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS cursor (at TEXT NOT NULL);
"""


class Treasury:
    """Pays, and knows what became of each payout.

    States of a payout: signed, sent, paid, failed (reverted: its nonce is used), stolen (another
    transaction used its nonce, which is not ours), dropped and disputed.
    """

    def __init__(self, database: Path, wallet: Wallet, api: str, node: str) -> None:
        self._database = sqlite3.connect(database)
        self._wallet = wallet
        self._api = api
        self._node = node
        self._database.executescript(TABLES)

    def close(self) -> None:
        """Close the database; a new treasury on the same file goes on where this one stopped."""
        self._database.close()

    def sign(self, payout: str, recipient: str, wei: int, gas_price: int) -> None:
        """Sign a payout and store it, before it is sent; a repeated request has no effect."""
        with self._database:
            known = self._database.execute("SELECT 1 FROM payouts WHERE id = ?", [payout])
            if known.fetchone() is not None:
                return
            query = "SELECT COALESCE(MAX(nonce) + 1, 0) FROM payouts"
            (nonce,) = self._database.execute(query).fetchone()
            row = (payout, recipient, str(wei), nonce)
            self._database.execute(
                "INSERT INTO payouts (id, recipient, wei, nonce) VALUES (?, ?, ?, ?)", row
            )
            self._attempt(payout, nonce, recipient, wei, gas_price)

    def raise_fee(self, payout: str, gas_price: int) -> None:
        """Sign a payout that is stuck again, with its nonce and a higher price."""
        with self._database:
            query = "SELECT nonce, recipient, wei FROM payouts WHERE id = ? AND state = 'sent'"
            row = self._database.execute(query, [payout]).fetchone()
            if row is not None:
                self._attempt(payout, row[0], row[1], int(row[2]), gas_price)

    async def send(self) -> None:
        """Register and send what is signed and was not sent: after a crash, this is repeated.

        Registered first: then the tracker knows the transaction whatever happens next. With
        ``rebroadcast``, it also sends it again if all nodes lose it.
        """
        query = "SELECT tx, payout, raw FROM attempts WHERE NOT sent ORDER BY rowid"
        async with aiohttp.ClientSession() as session:
            for tx, payout, raw in self._database.execute(query).fetchall():
                body = {"raw": raw, "metadata": {"payout": payout}}
                answer = await session.post(f"{self._api}/v1/transactions", json=body)
                answer.raise_for_status()
                await self._broadcast(session, raw)
                with self._database:
                    self._database.execute("UPDATE attempts SET sent = 1 WHERE tx = ?", [tx])
                    self._database.execute(
                        "UPDATE payouts SET state = 'sent' WHERE id = ? AND state = 'signed'",
                        [payout],
                    )

    async def read_events(self) -> None:
        """Apply the events since the last call; the cursor is stored with their effects."""
        async with aiohttp.ClientSession() as session:
            while True:
                row = self._database.execute("SELECT at FROM cursor").fetchone()
                parameters = {"after": "e0" if row is None else row[0], "limit": "100"}
                answer = await session.get(f"{self._api}/v1/events", params=parameters)
                answer.raise_for_status()
                page = await answer.json()
                with self._database:
                    for data in page["events"]:
                        self.apply(Event(data["transaction"], data["version"], data["state"], data))
                    self._database.execute("DELETE FROM cursor")
                    self._database.execute("INSERT INTO cursor VALUES (?)", [page["next"]])
                if not page["more"]:
                    return

    def apply(self, event: Event) -> None:
        """Write what an event means for its payout; called within a database transaction."""
        query = "SELECT payout FROM attempts WHERE tx = ?"
        row = self._database.execute(query, [event.tx]).fetchone()
        if row is None:  # not a transaction of this treasury
            return
        (payout,) = row
        if event.is_taken_back:
            self._set(payout, "disputed", "what was final was taken back")
        elif event.state == "confirmed":
            self._set(payout, "paid", event.tx)
        elif event.state == "failed":
            # The nonce is used and the fee is paid. A human decides whether to pay in another way.
            self._set(payout, "failed", event.data["outcome"]["error"] or "it reverted")
        elif event.state == "replaced" and not self._is_ours(event.data["superseded_by"]):
            # Somebody else has the key.
            self._set(payout, "stolen", f"{event.data['superseded_by']} used the nonce")
        elif event.state == "dropped":
            # Its nonce is free as long as nothing else uses it: sign nothing new with another one.
            self._set(payout, "dropped", "no provider has it any more")

    def states(self) -> dict[str, tuple[str, str]]:
        """Return the state of each payout, with a note."""
        rows = self._database.execute("SELECT id, state, note FROM payouts ORDER BY nonce")
        return {payout: (state, note) for payout, state, note in rows}

    def _attempt(self, payout: str, nonce: int, to: str, wei: int, gas_price: int) -> None:
        signed = self._wallet.sign(nonce, to, wei, gas_price)
        self._database.execute(
            "INSERT OR IGNORE INTO attempts (tx, payout, raw, gas_price) VALUES (?, ?, ?, ?)",
            [signed.tx, payout, signed.raw, gas_price],
        )

    def _is_ours(self, tx: str) -> bool:
        query = "SELECT 1 FROM attempts WHERE tx = ?"
        return self._database.execute(query, [tx]).fetchone() is not None

    def _set(self, payout: str, state: str, note: str) -> None:
        self._database.execute(
            "UPDATE payouts SET state = ?, note = ? WHERE id = ?", [state, note, payout]
        )

    async def _broadcast(self, session: aiohttp.ClientSession, raw: str) -> None:
        call = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}
        answer: dict[str, Any] = await (await session.post(self._node, json=call)).json()
        error = answer.get("error", {}).get("message", "")
        # A transaction that was sent before a crash is known already, or mined. Both are fine.
        if error and not error.startswith(("already known", "nonce too low")):
            raise RuntimeError(f"the node refuses the payout: {error}")


async def main() -> None:
    wallet = Wallet(bytes(range(1, 33)), chain_id=31337)
    chain = Chain(wallets=(wallet.address,))
    with tempfile.TemporaryDirectory() as folder:
        async with (
            DevelopmentNode(chain=chain, read_raw=read_raw) as node,
            service(node, rebroadcast=True) as api,
        ):
            await _pay(node, wallet, api, Path(folder) / "treasury.db")


async def _pay(node: DevelopmentNode, wallet: Wallet, api: str, database: Path) -> None:
    staff = node.chain.accounts
    treasury = Treasury(database, wallet, api, node.url)
    for payout, account in zip(("salary", "rent", "tax", "bonus", "loan"), staff, strict=False):
        treasury.sign(payout, account, ETHER, 2 * GWEI)
    treasury.sign("salary", staff[0], ETHER, 2 * GWEI)  # a repeated request
    # It crashes before it has sent anything, and starts again.
    treasury.close()
    treasury = Treasury(database, wallet, api, node.url)
    await treasury.send()
    treasury.raise_fee("rent", 3 * GWEI)
    await treasury.send()
    for tx in node.chain.pool:
        if tx.nonce == 2:
            node.chain.revert(tx.hash, "no tax today")
    # Somebody else has the key, and takes the last nonce.
    node.chain.submit(wallet.address, staff[9], nonce=4, max_fee=4 * GWEI, priority_fee=4 * GWEI)
    while any(state in ("signed", "sent") for state, _ in treasury.states().values()):
        await node.mine()
        await asyncio.sleep(0.1)
        await treasury.read_events()
    for payout, (state, note) in treasury.states().items():
        print(f"{payout:7} {state:9} {note[:10] if note.startswith('0x') else note}")
    treasury.close()


if __name__ == "__main__":
    asyncio.run(main())
