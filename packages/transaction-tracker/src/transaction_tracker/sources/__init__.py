"""Sources of transactions: their protocols, facts and errors."""

from transaction_tracker.sources.answers import (
    Answer,
    Consensus,
    Contained,
    Ending,
    FetchedBlock,
    Head,
    Objection,
    Prefetched,
    Sent,
    Unanswered,
    Unreadable,
    Unused,
)
from transaction_tracker.sources.deposits import DepositSource, watches_addresses
from transaction_tracker.sources.errors import (
    ApplicationError,
    MalformedError,
    NotYetError,
    RateLimitedError,
    ServerError,
    SourceError,
    TransportError,
    WrongChainError,
)
from transaction_tracker.sources.polled import PolledSource
from transaction_tracker.sources.protocol import (
    ChainSource,
    Source,
    TokenSource,
    has_blocks,
    has_tokens,
    pays_by_outputs,
)

__all__ = [
    "Answer",
    "ApplicationError",
    "ChainSource",
    "Consensus",
    "Contained",
    "DepositSource",
    "Ending",
    "FetchedBlock",
    "Head",
    "MalformedError",
    "NotYetError",
    "Objection",
    "PolledSource",
    "Prefetched",
    "RateLimitedError",
    "Sent",
    "ServerError",
    "Source",
    "SourceError",
    "TokenSource",
    "TransportError",
    "Unanswered",
    "Unreadable",
    "Unused",
    "WrongChainError",
    "has_blocks",
    "has_tokens",
    "pays_by_outputs",
    "watches_addresses",
]
