"""What decides about a transaction besides the facts: time limits, and rules by amount."""

from dataclasses import dataclass

from transaction_tracker.domain.rules import Rule


@dataclass(frozen=True, slots=True)
class Policy:
    """Time limits for transactions in no block, and rules about confirmations.

    Attributes:
        drop_blocks: Number of blocks for which a transaction must be missing before it is dropped.
        drop_seconds: Seconds for which it must be missing as well.
        stuck_seconds: Seconds for which it must be pending before it is flagged as stuck.
        rules: Rules by token and amount, which raise the required confirmations.

    Raises:
        ValueError: A value is negative.
    """

    drop_blocks: int = 24
    drop_seconds: float = 300.0
    stuck_seconds: float = 600.0
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        for name in ("drop_blocks", "drop_seconds", "stuck_seconds"):
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value!r}")
