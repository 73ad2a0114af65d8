"""The article's TransactionTracker: GenServer, Registry and DynamicSupervisor, combined.

Run it: ``python examples/article.py``
"""

import asyncio

from beamish import (
    Application,
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    Registry,
    call,
    debug,
)

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"


class TransactionTracker(GenServer, restart="transient"):
    """Follows one transaction; found by its id, whatever becomes of its process."""

    def __init__(self, transaction_id: str) -> None:
        self.transaction_id = transaction_id

    @classmethod
    async def start(cls, transaction_id: str) -> Pid:
        """Start a tracker that is supervised and registered under the transaction's id."""
        name = Registry.via(REGISTRY, transaction_id)
        spec = cls.child_spec(transaction_id, name=name)
        return await DynamicSupervisor.start_child(SUPERVISOR, spec)

    @classmethod
    def lookup(cls, transaction_id: str) -> Pid | None:
        """Return the process that follows the transaction now."""
        return Registry.whereis(REGISTRY, transaction_id)

    @call
    def describe(self) -> str:
        """What this tracker follows, and as whom."""
        return f"{self.transaction_id} followed by {self.pid}"


class TransactionTrackerApplication(Application):
    """The registry and the supervisor of the trackers."""

    def children(self) -> list[ChildSpec]:
        """List what to start, in this order."""
        return [
            Registry.child_spec(keys="unique", name=REGISTRY),
            DynamicSupervisor.child_spec(name=SUPERVISOR, strategy="one_for_one"),
        ]


async def main() -> None:
    transaction_id = "txn_01dp371w0fnjhf9z2tjebx4vr4"
    async with TransactionTrackerApplication():
        pid = await TransactionTracker.start(transaction_id)
        print("started  ", await TransactionTracker.describe(pid))

        await GenServer.stop(pid, "its_a_crash")

        restarted = TransactionTracker.lookup(transaction_id)
        assert restarted is not None
        print("restarted", await TransactionTracker.describe(restarted))
        print("state    ", await debug.get_state(restarted))

        await GenServer.stop(restarted)
        print("stopped  ", TransactionTracker.lookup(transaction_id))


if __name__ == "__main__":
    asyncio.run(main())
