"""How long to be patient before a transaction in no block is called something worse."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """When waiting becomes news.

    Attributes:
        drop_blocks: Blocks for which a transaction must be missing before it is dropped.
        drop_seconds: Seconds for which it must be missing, too.
        stuck_seconds: Seconds of being pending after which it is called stuck.

    Raises:
        ValueError: One is negative.
    """

    drop_blocks: int = 24
    drop_seconds: float = 300.0
    stuck_seconds: float = 600.0

    def __post_init__(self) -> None:
        for name in ("drop_blocks", "drop_seconds", "stuck_seconds"):
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value!r}")
