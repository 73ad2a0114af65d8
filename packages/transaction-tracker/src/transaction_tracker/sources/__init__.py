"""Sources of transactions: their protocols, facts and errors."""

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
    Answer,
    ChainSource,
    Consensus,
    Contained,
    Ending,
    FetchedBlock,
    Head,
    Objection,
    Prefetched,
    Source,
    Unanswered,
    Unreadable,
    has_blocks,
)

__all__ = [
    "Answer",
    "ApplicationError",
    "ChainSource",
    "Consensus",
    "Contained",
    "Ending",
    "FetchedBlock",
    "Head",
    "MalformedError",
    "NotYetError",
    "Objection",
    "PolledSource",
    "Prefetched",
    "RateLimitedError",
    "ServerError",
    "Source",
    "SourceError",
    "TransportError",
    "Unanswered",
    "Unreadable",
    "WrongChainError",
    "has_blocks",
]
