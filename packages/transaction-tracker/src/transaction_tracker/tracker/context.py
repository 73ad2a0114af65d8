"""The state that the trackers of one application share, and the names of its processes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from beamish import Registry, Via
from transaction_tracker.domain import (
    Expectation,
    InvalidTransactionError,
    Policy,
    Required,
    Transaction,
)
from transaction_tracker.sources import Source, has_blocks
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker.expectations import InvalidExpectationError, parse

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"
FOLLOWER = "TransactionTracker.Follower"


@dataclass(frozen=True, slots=True)
class TrackerContext:
    """The state that the trackers of one application share; stored as metadata of the registry.

    Attributes:
        source: The source of the transactions.
        open_transactions: The stored transactions that are not final.
        required: Default requirement of a new registration.
        policy: Time limits for transactions in no block.
        expires_after: Seconds until a newly registered transaction expires; ``None`` for no default
            deadline.
        follow_repriced: Whether the transaction that repriced a tracked one is tracked too.
        rebroadcast: Whether raw signed transactions are sent again while they are missing.
    """

    source: Source
    open_transactions: OpenTransactions
    required: Required
    policy: Policy = field(default_factory=Policy)
    expires_after: float | None = None
    follow_repriced: bool = False
    rebroadcast: bool = False

    KEY = "context"

    def requirement(self, confirmations: Required | None) -> Required:
        """Return the requirement: ``confirmations``, or the application's setting for ``None``.

        Raises:
            ValueError: The chain does not have this tag.
        """
        required = self.required if confirmations is None else confirmations
        if has_blocks(self.source):
            self.source.check_required(required)
        return required

    def slot_id(self, sender: str, nonce: int) -> str:
        """Return the id of whichever transaction of a sender has a nonce.

        Raises:
            InvalidTransactionError: A part is invalid, or the source has no senders with nonces.
        """
        if has_blocks(self.source):
            return self.source.slot_id(sender, nonce)
        raise InvalidTransactionError("this source has no senders with nonces: give id", "sender")

    def sends_again(self, wanted: bool | None) -> bool:
        """Return whether a raw transaction is sent again; ``None`` takes the application's setting.

        Raises:
            ValueError: It is wanted, and the setting forbids it.
        """
        if wanted and not self.rebroadcast:
            raise ValueError(
                "this service does not send transactions: set source.rebroadcast to true, or leave "
                "rebroadcast out"
            )
        return self.rebroadcast if wanted is None else wanted

    def signed(self, raw: str, *, complete: bool) -> Transaction:
        """Return the transaction that a raw signed transaction contains.

        Args:
            raw: The raw transaction.
            complete: Whether it must contain all that is needed to send it.

        Raises:
            InvalidTransactionError: It is invalid, or the source has no signed transactions.
        """
        if has_blocks(self.source):
            return self.source.signed(raw, complete=complete)
        raise InvalidTransactionError("this source has no signed transactions: give id", "raw")

    def slot(self, transaction: str) -> str | None:
        """Return the slot that a transaction's id names; ``None`` for any other id."""
        return self.source.slot_of(transaction) if has_blocks(self.source) else None

    def expectation(self, given: Mapping[str, object] | None) -> Expectation | None:
        """Return what a user expects of a payment; ``None`` without an expectation.

        Raises:
            InvalidExpectationError: A field is invalid, or the source does not report payments.
        """
        if given is None:
            return None
        if not has_blocks(self.source):
            raise InvalidExpectationError("this source does not report who paid whom how much")
        return parse(given, self.source.account)

    @staticmethod
    def current() -> "TrackerContext":
        """Return the context of the running application, or raise ``NoProcessError``."""
        context: TrackerContext = Registry.meta(REGISTRY, TrackerContext.KEY)
        return context


@dataclass(frozen=True, slots=True)
class CheckTransaction:
    """Message to the follower: ask the source about this transaction soon."""

    transaction: str


@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """Message to the follower: what is required of this transaction was changed."""

    transaction: str


@dataclass(frozen=True, slots=True)
class TransactionUntracked:
    """Message to the follower: this transaction was untracked."""

    transaction: str


def via(key: str) -> Via:
    """Return the name of a transaction's tracker."""
    return Registry.via(REGISTRY, key)
