"""The result of the demo: expected state, tracker's state and chain's state of each payment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich import box
from rich.table import Table
from rich.text import Text

from transaction_tracker.domain import Tracked
from txtrack_devnode.demo.kinds import KINDS, Payment, PaymentKind
from txtrack_devnode.demo.oracle import FinalState, Oracle


@dataclass(frozen=True, slots=True)
class PaymentCheck:
    """Final states of a payment, according to the tracker and to the chain."""

    payment: Payment
    tracker: FinalState
    chain: FinalState

    @property
    def correct(self) -> bool:
        """Whether the tracker, the chain and the kind of the payment agree."""
        kind = self.payment.kind
        return self.tracker == self.chain and (kind.state, kind.reason) == (
            self.tracker.state,
            self.tracker.reason,
        )


def check_payments(
    payments: Sequence[Payment], tracked: Mapping[str, Tracked], oracle: Oracle
) -> list[PaymentCheck]:
    """Compare the tracker with the chain for each payment."""
    return [
        PaymentCheck(
            payment,
            FinalState.of_tracked(tracked[payment.id]),
            oracle.final_state(payment.transaction),
        )
        for payment in payments
    ]


def table(checks: Sequence[PaymentCheck]) -> Table:
    """Return a table with a row per kind of payment, and the total."""
    drawn = Table(box=box.SIMPLE, pad_edge=False, show_footer=True)
    drawn.add_column("payment", "all", style="bold", footer_style="bold")
    drawn.add_column("what happens")
    drawn.add_column("final state")
    drawn.add_column("sent", str(len(checks)), justify="right")
    drawn.add_column("correct", _correct(checks), justify="right")
    for kind in KINDS:
        of_kind = [check for check in checks if check.payment.kind is kind]
        drawn.add_row(
            kind.name, kind.description, _state(kind), str(len(of_kind)), _correct(of_kind)
        )
    return drawn


def mismatches(checks: Sequence[PaymentCheck]) -> list[str]:
    """Return a line for each payment with a wrong final state."""
    return [
        f"{check.payment.kind.name} {check.payment.id}: "
        f"the tracker says {check.tracker}, the chain says {check.chain}"
        for check in checks
        if not check.correct
    ]


def _correct(checks: Sequence[PaymentCheck]) -> Text:
    count = sum(check.correct for check in checks)
    return Text(str(count), "green" if count == len(checks) else "bold red")


def _state(kind: PaymentKind) -> str:
    return kind.state if kind.reason is None else f"{kind.state} ({kind.reason})"
