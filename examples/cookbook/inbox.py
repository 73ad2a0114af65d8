"""Receive webhooks of the tracker, so that each event has its effect exactly once.

The id of an event and its effect are written in one database transaction. So a repeated delivery,
a late one and a crash at any moment have no second effect, and none is lost: an event that is not
answered with 2xx is sent again.
"""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

MAX_BODY_BYTES = 1_000_000

TABLES = """
CREATE TABLE IF NOT EXISTS inbox (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS versions (tx TEXT PRIMARY KEY, version INTEGER NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a transaction, as far as the programs here need it."""

    tx: str
    version: int
    state: str
    data: dict[str, Any]

    @property
    def is_taken_back(self) -> bool:
        """Whether something that was final is not true any more: a human must look at it."""
        return self.state == "reversed" or "finality_violation" in self.data["flags"]

    @property
    def is_expected(self) -> bool:
        """Whether it is the payment that was expected when it was registered."""
        expectation = self.data["expectation"]
        return expectation is not None and expectation["matches"] is True

    @property
    def differences(self) -> dict[str, str | None]:
        """What differs from the expected payment: the actual value by field."""
        expectation = self.data["expectation"] or {"differences": []}
        return {each["field"]: each["actual"] for each in expectation["differences"]}


class Inbox:
    """Checks the signature of each webhook, and applies each event once and in order.

    Args:
        database: The program's own database, in which ``apply`` writes.
        secret: The secret of the endpoint, ``whsec_…``.
        apply: Writes the effect of an event. It must not wait for anything else.
    """

    def __init__(
        self, database: sqlite3.Connection, secret: str, apply: Callable[[Event], None]
    ) -> None:
        self._database = database
        self._webhook = Webhook(secret)
        self._apply = apply
        database.executescript(TABLES)

    async def receive(self, request: web.Request) -> web.Response:
        """Answer a webhook: 204 once its effect is stored, 400 if it is not from the tracker."""
        body = await request.content.read(MAX_BODY_BYTES)
        # Of the bytes as they came: parsing and writing JSON again would change the signature.
        try:
            self._webhook.verify(body, dict(request.headers))
        except WebhookVerificationError:
            return web.Response(status=400, text="the signature is not valid")
        message = json.loads(body)
        # Also test messages, and alerts about the service, can come here.
        if message["type"].startswith("transaction."):
            self.take(request.headers["webhook-id"], message["data"])
        return web.Response(status=204)

    def take(self, webhook_id: str, data: dict[str, Any]) -> bool:
        """Apply an event, unless it or a later one of its transaction was applied before."""
        event = Event(data["id"], data["version"], data["state"], data)
        with self._database:  # one transaction: all of it is stored, or nothing
            if not self._is_new(webhook_id) or not self._is_newer(event):
                return False
            self._apply(event)
        return True

    def _is_new(self, webhook_id: str) -> bool:
        row = self._database.execute("INSERT OR IGNORE INTO inbox VALUES (?)", (webhook_id,))
        return row.rowcount == 1

    def _is_newer(self, event: Event) -> bool:
        """Return whether this is the latest version so far, and note it.

        A redelivery by hand can send an old event after a newer one.
        """
        row = self._database.execute(
            "INSERT INTO versions VALUES (?, ?) ON CONFLICT (tx) DO UPDATE "
            "SET version = excluded.version WHERE excluded.version > version",
            (event.tx, event.version),
        )
        return row.rowcount == 1
