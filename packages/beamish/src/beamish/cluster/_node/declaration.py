"""`Declared`: the child of a program that declares a registry or supervisor to the cluster."""

from typing import Any

from beamish.cluster._node import members
from beamish.gen_server import GenServer


class Declared(GenServer):
    """Stores at its start that every host must run a registry or supervisor.

    Args:
        kind: ``"registry"`` or ``"supervisor"``.
        target: The name of the registry or supervisor.
        options: Its options.
    """

    def __init__(self, kind: str, target: str, options: dict[str, Any]) -> None:
        self.kind = kind
        self.target = target
        self.options = options

    async def init(self) -> None:
        """Store the declaration; the last one counts, from the next start of each host."""
        await members.current().declare(self.kind, self.target, self.options)
