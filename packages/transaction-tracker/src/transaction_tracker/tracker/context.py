"""The state that the trackers of one source share, and the names of its processes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from beamish import NoProcessError, Pid, Registry, Via
from transaction_tracker.domain import (
    Expectation,
    InvalidTransactionError,
    Policy,
    Required,
    RequiredBy,
    Tracked,
    Transaction,
    UnknownSourceError,
    local_id,
    rank,
    strictest,
)
from transaction_tracker.sources import Source, has_blocks, pays_by_outputs
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker.expectations import InvalidExpectationError, parse

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"
FOLLOWER = "TransactionTracker.Follower"
ADDRESS_SEARCHER = "TransactionTracker.AddressSearcher"


class ProcessNames(NamedTuple):
    """The names of the processes of one source."""

    registry: str = REGISTRY
    supervisor: str = SUPERVISOR
    follower: str = FOLLOWER
    searcher: str = ADDRESS_SEARCHER

    @staticmethod
    @lru_cache(maxsize=64)
    def of(label: str | None) -> "ProcessNames":
        """Return the names for a source of several; for ``None``, those of the only source."""
        names = ProcessNames()
        return names if label is None else ProcessNames(*(f"{name}.{label}" for name in names))


@dataclass(frozen=True, slots=True)
class TrackerContext:
    """The state that the trackers of one source share.

    The registry of the trackers keeps it as metadata. With several sources, the registry named
    `REGISTRY` keeps a `Sources` with the contexts of all, and has no trackers itself.

    Attributes:
        source: The source of the transactions.
        open_transactions: The stored transactions that are not final.
        required: Default requirement of a new registration.
        policy: Time limits for transactions in no block, and rules about confirmations.
        expires_after: Seconds until a newly registered transaction expires; ``None`` for no default
            deadline.
        follow_repriced: Whether the transaction that repriced a tracked one is tracked too.
        rebroadcast: Whether raw signed transactions are sent again while they are missing.
        label: Name of the source in the configuration; ``None`` for the only source.
    """

    source: Source
    open_transactions: OpenTransactions
    required: Required
    policy: Policy = field(default_factory=Policy)
    expires_after: float | None = None
    follow_repriced: bool = False
    rebroadcast: bool = False
    label: str | None = None

    KEY = "context"

    @property
    def names(self) -> ProcessNames:
        """The names of the processes of this source."""
        return ProcessNames.of(self.label)

    def via(self, transaction: str) -> Via:
        """Return the name of a transaction's tracker.

        Args:
            transaction: Id at the source.
        """
        return via(transaction, self.names.registry)

    def tracker(self, transaction: str) -> Pid | None:
        """Return the tracker of a transaction; ``None`` also if the source does not run.

        Args:
            transaction: Id at the source.
        """
        try:
            return Registry.whereis(self.names.registry, transaction)
        except NoProcessError:
            return None

    def identify(self, text: str) -> str:
        """Return the id at the source, of an id with or without the chain id of this source.

        Raises:
            InvalidTransactionError: It is not a valid id of this source.
        """
        # Without a colon, it has no chain id; the name of a chain is unknown before its check.
        has_chain = isinstance(text, str) and ":" in text
        return self.source.identify(local_id(self.source.name, text) if has_chain else text)

    def requirement(self, confirmations: Required | None) -> Required:
        """Return the requirement: ``confirmations``, or the application's setting for ``None``.

        Raises:
            ValueError: The chain does not have this tag.
        """
        required = self.required if confirmations is None else confirmations
        if has_blocks(self.source):
            self.source.check_required(required)
        return required

    def min_confirmations(self, tracked: Tracked) -> int:
        """Return the confirmations below which a known transaction is never final."""
        return self.source.min_confirmations(tracked) if has_blocks(self.source) else 1

    def chosen(
        self, confirmations: Required | None, known: Transaction | None
    ) -> tuple[Required, RequiredBy]:
        """Return the requirement of a new registration, and who chose it.

        Args:
            confirmations: What the user asks for; ``None`` for the setting of the source, or what
                its rules require if that is more.
            known: The transaction, if it is known before the source shows it.

        Raises:
            ValueError: The chain does not have this tag.
        """
        required = self.requirement(confirmations)
        if confirmations is not None:
            return required, "request"
        payment = None if known is None else known.payment
        rule = strictest(self.policy.rules, payment)
        if rule is None or rank(rule.required) <= rank(required):
            return required, "setting"
        return rule.required, rule

    def slot_id(self, sender: str, nonce: int) -> str:
        """Return the id of whichever transaction of a sender has a nonce.

        Raises:
            InvalidTransactionError: A part is invalid, or the source has no senders with nonces.
        """
        if has_blocks(self.source):
            return self.source.slot_id(sender, nonce)
        raise InvalidTransactionError("this source has no senders with nonces: give id", "sender")

    def sends(self, raw: str, wanted: bool | None) -> bool:
        """Return whether a raw transaction is sent again.

        Args:
            raw: A valid transaction of this source.
            wanted: Whether the user wants it; ``None`` takes the setting of the source.

        Raises:
            InvalidTransactionError: It must be sent again, but lacks what is needed for that.
            ValueError: It is wanted, and the setting forbids it.
        """
        if wanted and not self.rebroadcast:
            raise ValueError(
                "this service does not send transactions: set source.rebroadcast to true, or leave "
                "rebroadcast out"
            )
        sends = self.rebroadcast if wanted is None else wanted
        if sends:
            self.signed(raw, complete=True)
        return sends

    def signed(self, raw: str, *, complete: bool = False) -> Transaction:
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
        has_accounts = not pays_by_outputs(self.source)
        return parse(given, self.source.account, has_accounts=has_accounts)

    @staticmethod
    def current(label: str | None = None) -> "TrackerContext":
        """Return the context of a source of the running application.

        Args:
            label: Name of the source in the configuration; ``None`` for the only source.

        Raises:
            NoProcessError: The application is not running.
        """
        kept: TrackerContext | Sources = Registry.meta(REGISTRY, TrackerContext.KEY)
        return kept if isinstance(kept, TrackerContext) else kept.labelled(label)

    @staticmethod
    def of(tracked: Tracked) -> "TrackerContext":
        """Return the context of a transaction's source.

        Raises:
            NoProcessError: The application is not running.
            UnknownSourceError: The source is not configured.
        """
        kept: TrackerContext | Sources = Registry.meta(REGISTRY, TrackerContext.KEY)
        return kept if isinstance(kept, TrackerContext) else kept.named(tracked.source)

    @staticmethod
    def all() -> Sequence["TrackerContext"]:
        """Return the contexts of all sources of the running application."""
        kept: TrackerContext | Sources = Registry.meta(REGISTRY, TrackerContext.KEY)
        return [kept] if isinstance(kept, TrackerContext) else kept.contexts


@dataclass(frozen=True, slots=True)
class Sources:
    """The contexts of several sources, in the order of the configuration."""

    contexts: tuple[TrackerContext, ...]

    def labelled(self, label: str | None) -> TrackerContext:
        """Return the context with this name in the configuration."""
        return next(context for context in self.contexts if context.label == label)

    def named(self, source: str) -> TrackerContext:
        """Return the context of the source with this name in the database.

        Raises:
            UnknownSourceError: The source is not configured.
        """
        for context in self.contexts:
            if context.source.name == source:
                return context
        raise UnknownSourceError(source)


@dataclass(frozen=True, slots=True)
class CheckTransaction:
    """Message to the follower: ask the source about this transaction soon."""

    transaction: str


@dataclass(frozen=True, slots=True)
class RegistrationChanged:
    """Message to the follower: what is required of this transaction was changed."""

    transaction: str


@dataclass(frozen=True, slots=True)
class SearchAddresses:
    """Message to the searcher of addresses: there can be a new search."""


@dataclass(frozen=True, slots=True)
class TransactionUntracked:
    """Message to the follower: this transaction was untracked."""

    transaction: str


def via(transaction: str, registry: str = REGISTRY) -> Via:
    """Return the name of a transaction's tracker.

    Args:
        transaction: Id at the source.
        registry: Name of the registry of the source.
    """
    return Registry.via(registry, transaction)
