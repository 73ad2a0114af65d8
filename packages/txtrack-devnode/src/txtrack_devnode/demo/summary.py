"""The end of the demonstration: what was expected, what the tracker saw, what the chain says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from transaction_tracker.domain import Tracked
from txtrack_devnode.demo.kinds import KINDS, Kind, Payment
from txtrack_devnode.demo.oracle import Ending, Oracle


@dataclass(frozen=True, slots=True)
class Verdict:
    """One payment: what its kind promised, what the tracker saw, what the chain says."""

    payment: Payment
    seen: Ending
    true: Ending

    @property
    def right(self) -> bool:
        """Whether all three agree."""
        kind = self.payment.kind
        return self.seen == self.true and (kind.end, kind.reason) == (
            self.seen.state,
            self.seen.reason,
        )


def judge(
    payments: Sequence[Payment], seen: Mapping[str, Tracked], oracle: Oracle
) -> list[Verdict]:
    """Compare what the tracker saw with the chain, payment by payment."""
    return [
        Verdict(payment, Ending.seen(seen[payment.id]), oracle.ending(payment.transaction))
        for payment in payments
    ]


def table(verdicts: Sequence[Verdict]) -> Table:
    """Draw one row per kind of payment, and the total."""
    drawn = Table(box=box.SIMPLE, pad_edge=False, show_footer=True)
    drawn.add_column("payment", "all", style="bold", footer_style="bold")
    drawn.add_column("what happens to it")
    drawn.add_column("must end")
    drawn.add_column("sent", str(len(verdicts)), justify="right")
    drawn.add_column("right", _right(verdicts), justify="right")
    for kind in KINDS:
        own = [verdict for verdict in verdicts if verdict.payment.kind is kind]
        drawn.add_row(kind.name, kind.fate, _end(kind), str(len(own)), _right(own))
    return drawn


def mistakes(verdicts: Sequence[Verdict]) -> list[str]:
    """Name every payment whose end is not what it must be."""
    return [
        f"{verdict.payment.kind.name} {verdict.payment.id}: "
        f"the tracker saw {verdict.seen}, the chain says {verdict.true}"
        for verdict in verdicts
        if not verdict.right
    ]


def _right(verdicts: Sequence[Verdict]) -> Text:
    count = sum(verdict.right for verdict in verdicts)
    return Text(str(count), "green" if count == len(verdicts) else "bold red")


def _end(kind: Kind) -> str:
    return kind.end if kind.reason is None else f"{kind.end} ({kind.reason})"
