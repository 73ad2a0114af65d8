"""Where transactions live: what any source can do, and the sources there are."""

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
    Block,
    ChainSource,
    Consensus,
    Head,
    Source,
    has_blocks,
)

__all__ = [
    "Answer",
    "ApplicationError",
    "Block",
    "ChainSource",
    "Consensus",
    "Head",
    "MalformedError",
    "NotYetError",
    "PolledSource",
    "RateLimitedError",
    "ServerError",
    "Source",
    "SourceError",
    "TransportError",
    "WrongChainError",
    "has_blocks",
]
