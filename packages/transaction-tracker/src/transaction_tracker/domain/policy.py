"""How long a transaction can be in no block before its state gets worse."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Time limits for transactions in no block.

    Attributes:
        drop_blocks: Number of blocks for which a transaction must be missing before it is dropped.
        drop_seconds: Seconds for which it must be missing as well.
        stuck_seconds: Seconds for which it must be pending before it is flagged as stuck.

    Raises:
        ValueError: A value is negative.
    """

    drop_blocks: int = 24
    drop_seconds: float = 300.0
    stuck_seconds: float = 600.0

    def __post_init__(self) -> None:
        for name in ("drop_blocks", "drop_seconds", "stuck_seconds"):
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value!r}")
