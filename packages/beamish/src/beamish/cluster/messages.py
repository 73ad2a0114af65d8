"""Messages to the processes that monitor the nodes of a cluster."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NodeUp:
    """A node joined the cluster.

    Args:
        node: Its id.

    Source:
        Erlang's ``{nodeup, Node}``.
    """

    node: str


@dataclass(frozen=True, slots=True)
class NodeDown:
    """A node left the cluster or was lost.

    Args:
        node: Its id.
        reason: ``"noconnection"``.

    Source:
        Erlang's ``{nodedown, Node, InfoList}``.
    """

    node: str
    reason: str
