"""Where transactions live: the protocol that every source speaks, and the sources."""

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
from transaction_tracker.sources.protocol import Block, Source

__all__ = [
    "ApplicationError",
    "Block",
    "MalformedError",
    "NotYetError",
    "RateLimitedError",
    "ServerError",
    "Source",
    "SourceError",
    "TransportError",
    "WrongChainError",
]
