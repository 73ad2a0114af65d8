"""The exceptions of ``beamish.cluster``."""

from typing import Any

from beamish.errors import BeamishError, StartError


class StoreUnavailableError(StartError):
    """The store of the cluster did not answer; a start can have happened.

    Args:
        cause: What the store or its driver reported.
    """

    def __init__(self, cause: str) -> None:
        super().__init__("store_unavailable", "the child")
        self.args: tuple[Any, ...] = (cause,)
        self.cause = cause

    def __str__(self) -> str:
        return (
            f"the store of the cluster is unavailable: {self.cause}; the cluster continues when "
            "the store answers again"
        )


class StaleError(BeamishError):
    """A fence is not the newest one of its shard: another host owns the shard now.

    Raise it when `FENCE_SQL` returns no row, and roll the transaction back.
    """


class HostLostError(BeamishError):
    """The connection to a host is lost; a request that was sent can have run there."""
