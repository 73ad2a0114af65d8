"""The article's TransactionTracker on many machines; the hosts import this module."""

from beamish import Application, ChildSpec, GenServer, Pid, call
from beamish.cluster import Cluster
from beamish.cluster import ClusterDynamicSupervisor as DynamicSupervisor
from beamish.cluster import ClusterRegistry as Registry

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"


class TransactionTracker(GenServer, restart="transient"):
    """Follows one transaction; found by its id from every machine, wherever its process runs."""

    def __init__(self, transaction_id: str) -> None:
        self.transaction_id = transaction_id

    @classmethod
    async def start(cls, transaction_id: str) -> Pid:
        """Start a tracker that is supervised and registered under the transaction's id."""
        name = Registry.via(REGISTRY, transaction_id)
        spec = cls.child_spec(transaction_id, name=name)
        return await DynamicSupervisor.start_child(SUPERVISOR, spec)

    @classmethod
    async def lookup(cls, transaction_id: str) -> Pid | None:
        """Return the process that follows the transaction now."""
        return await Registry.whereis(REGISTRY, transaction_id)

    @call
    def describe(self) -> str:
        """Return what this tracker follows, and the number of its host."""
        return f"{self.transaction_id} followed in epoch {Cluster.fence().epoch}"


class TransactionTrackerApplication(Application):
    """The registry and the supervisor of the trackers."""

    def children(self) -> list[ChildSpec]:
        """List what to start, in this order."""
        return [
            Registry.child_spec(keys="unique", name=REGISTRY),
            DynamicSupervisor.child_spec(name=SUPERVISOR, strategy="one_for_one"),
        ]
