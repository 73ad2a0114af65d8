"""The exceptions of ``beamish.erlang``."""

from beamish.errors import BeamishError


class TermError(BeamishError, ValueError):
    """A term does not fit the external term format, or bytes are not a valid term."""


class ErlangConnectionError(BeamishError, ConnectionError):
    """A connection with an Erlang node could not be made, or its peer broke the protocol.

    Args:
        peer: Name of the other node, or its address while the name is unknown.
        why: What failed, and what to do.
    """

    def __init__(self, peer: str, why: str) -> None:
        super().__init__(peer, why)
        self.peer = peer
        self.why = why

    def __str__(self) -> str:
        return f"no connection with the Erlang node {self.peer}: {self.why}"


class RpcError(BeamishError):
    """A remote procedure call failed on the other node.

    Args:
        reason: The reason, as an Erlang term.

    Source:
        Erlang's ``{badrpc, Reason}``.
    """

    def __init__(self, reason: object) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the remote procedure call failed: {self.reason!r}"
