"""Random operations on an endpoint's deliveries, checked against their invariants."""

from collections import defaultdict
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from transaction_tracker.domain import Event, Tracked
from transaction_tracker.domain.webhook_endpoint import WebhookEndpoint, WebhookSecret
from transaction_tracker.store import Step, committing, endpoints, outbox, registering
from transaction_tracker.store.database import Database, Failed
from transaction_tracker.store.deliveries import Delivery
from transaction_tracker.store.schema.outbox import outbox as table

from .support import SOURCE, in_state, wanted

KEYS = ("one", "two", "three")


class Deliveries(RuleBasedStateMachine):
    """One endpoint and three transactions, with operations in any order."""

    @initialize()
    def begin(self) -> None:
        self.database = Database(":memory:").open()
        self.endpoint: WebhookEndpoint = self.run(
            endpoints.add, "https://example.com/", WebhookSecret.generate(), None
        )
        self.run(registering.register, wanted(*KEYS))
        self.tracked = {key: Tracked(key, required=3) for key in KEYS}
        self.flying: dict[int, Delivery] = {}

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()

    def run(self, work: Any, *args: Any, **kwargs: Any) -> Any:
        (result,) = self.database.run([lambda connection: work(connection, *args, **kwargs)])
        if isinstance(result, Failed):
            raise result.error
        return result

    def rows(self) -> list[Any]:
        query = select(table).order_by(table.c.position)
        return self.run(lambda connection: connection.execute(query).all())

    @rule(keys=st.lists(st.sampled_from(KEYS), min_size=1, max_size=4))
    def happens(self, keys: list[str]) -> None:
        """One commit, perhaps with several events of one transaction."""
        events = []
        for key in keys:
            before = self.tracked[key]
            self.tracked[key] = in_state(
                before, "mined" if before.state == "pending" else "pending"
            )
            events.append(Event(before.state, self.tracked[key]))
        self.run(committing.commit, Step(SOURCE, events=tuple(events)))

    @rule()
    def take_off(self) -> None:
        """Start attempts for due deliveries of transactions with no attempt in flight."""
        batch = self.run(outbox.due, self.endpoint.id, 100, busy=set(self.flying))
        moving = {each.transaction for each in self.flying.values()}
        for delivery in batch.deliveries:
            assert delivery.position not in self.flying
            if delivery.transaction not in moving:
                self.flying[delivery.position] = delivery

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), how=st.sampled_from(["delivered", "failed", "soon", "dead"]))
    def land(self, data: st.DataObject, how: str) -> None:
        """An attempt ends, one way or the other."""
        position = data.draw(st.sampled_from(sorted(self.flying)))
        delivery = self.flying.pop(position)
        match how:
            case "delivered":
                self.run(outbox.delivered, delivery, 200)
            case "failed":
                self.run(outbox.failed, delivery, 1e12, 500, "HTTP 500")
            case "soon":
                self.run(outbox.failed, delivery, 0.0, 500, "HTTP 500")
            case "dead":
                self.run(outbox.dead, delivery, 500, "HTTP 500")

    @rule()
    def crash(self) -> None:
        """Forget attempts in flight, as a crash does."""
        self.flying.clear()

    @rule(data=st.data())
    def again(self, data: st.DataObject) -> None:
        position = data.draw(st.integers(1, len(self.rows()) + 2))
        self.run(outbox.again, self.endpoint.id, position)

    @rule(limit=st.integers(1, 5))
    def again_dead(self, limit: int) -> None:
        self.run(outbox.again_dead, self.endpoint.id, limit)

    @rule(after=st.integers(0, 10), limit=st.integers(1, 5))
    def again_since(self, after: int, limit: int) -> None:
        self.run(outbox.again_since, self.endpoint, after, limit)

    @rule(on=st.booleans())
    def switch(self, on: bool) -> None:
        if on:
            self.run(endpoints.enable, self.endpoint.id)
        else:
            self.run(endpoints.disable, self.endpoint.id, "by hand")

    @invariant()
    def of_each_transaction_the_first_that_is_pending_has_a_time_and_no_other(self) -> None:
        if not hasattr(self, "database"):
            return
        pending = defaultdict(list)
        for row in self.rows():
            if row.state == "pending":
                pending[row.transaction_id].append(row)
            else:
                assert row.due_at is None
        for rows in pending.values():
            assert rows[0].due_at is not None
            assert all(row.due_at is None for row in rows[1:])


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(max_examples=25, stateful_step_count=30)
