"""The identity of a process in a cluster, the same on every member."""

from typing import NamedTuple


class Identity(NamedTuple):
    """The identity of one process, or of whichever process holds a name.

    Args:
        home: The shard of its host, or the id of its program.
        registry: The registry of its name; empty if it has none.
        key: The key of its name in that registry.
        serial: The number of its pid; 0 for whichever process holds the name.
        epoch: The epoch of its host; 0 for whichever host owns the shard, and in programs.
    """

    home: int | str
    registry: str = ""
    key: str = ""
    serial: int = 0
    epoch: int = 0

    @property
    def is_name(self) -> bool:
        """Whether it is a name, not one process."""
        return self.serial == 0
