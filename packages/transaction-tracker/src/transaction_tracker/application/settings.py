"""What an application runs by, as Python values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from transaction_tracker.api import WebOptions
from transaction_tracker.domain import Policy, Required, check_required
from transaction_tracker.providers import ProviderSettings
from transaction_tracker.sources.ethereum import SecretUrl
from transaction_tracker.sources.ethereum.profiles import profile_of
from transaction_tracker.sources.ethereum.revert_data import ErrorTable
from transaction_tracker.store import DatabaseUrl


@dataclass(frozen=True, slots=True)
class Settings:
    """What a tracker application needs to know.

    Attributes:
        rpc_url: The Ethereum node, ``http`` or ``https``; ``None`` where ``providers`` are
            given. Prints its host only.
        chain_id: The chain that the nodes must be on; ``None`` takes their word for it.
        confirmations: What makes a transaction's state final: blocks, its own counted, or the
            chain's own word, ``"safe"`` or ``"finalized"``.
        database: A SQLite file, made when it is missing; ``":memory:"``, which forgets all;
            or the address of a PostgreSQL database, whose password is never printed.
        poll_interval: Seconds between questions for the head while a block is due.
        block_time: Seconds from block to block; ``None`` takes the block time of the chain's
            profile. After five without progress, at least 60 s, the source is reported as halted
            or lagging; after three without a head, a connection on which a provider announces
            heads is opened again.
        profile: Changes of the chain's profile, by attribute of ``ChainProfile``.
        errors: Signatures of custom errors, such as ``"Unpaid(uint256 due)"``, to decode why
            transactions reverted.
        providers: Several nodes of the same chain, one followed and the others in reserve.
        policy: When waiting becomes news.
        expires_after: Seconds that a transaction has to get into a block, unless it is
            registered with another deadline; ``None`` waits for ever.
        follow_repriced: Whether the same payment at another price is followed too.
        sweep_budget: Calls about single transactions in one batch, for each block.
        migrate: Whether missing or old tables of the database are changed at the start.
        web: Where the HTTP API listens; ``None`` for none.
        allow_private: Networks, addresses and host names that webhooks may reach although they
            are not public, or by plain HTTP.

    Raises:
        ValueError: A value that cannot be; the message names it.
    """

    rpc_url: str | SecretUrl | None = None
    chain_id: int | None = None
    confirmations: Required = 12
    database: str | Path | DatabaseUrl = "transactions.db"
    poll_interval: float = 1.0
    block_time: float | None = None
    profile: Mapping[str, object] = field(default_factory=dict)
    errors: tuple[str, ...] = ()
    providers: tuple[ProviderSettings, ...] = ()
    policy: Policy = field(default_factory=Policy)
    expires_after: float | None = None
    follow_repriced: bool = False
    sweep_budget: int = 20
    migrate: bool = True
    web: WebOptions | None = None
    allow_private: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.rpc_url is not None and self.providers:
            raise ValueError("rpc_url and providers cannot both be given")
        if self.rpc_url is not None:
            object.__setattr__(self, "rpc_url", SecretUrl.of(self.rpc_url))
        # A type that never prints its password takes the place of what was given.
        object.__setattr__(self, "database", DatabaseUrl.of(self.database))
        if self.chain_id is not None and self.chain_id < 1:
            raise ValueError(f"chain_id must be 1 or more, got {self.chain_id!r}")
        check_required(self.confirmations)
        _check_seconds("poll_interval", self.poll_interval)
        if self.block_time is not None:
            _check_seconds("block_time", self.block_time)
        # A copy that cannot be changed takes the place of what was given.
        object.__setattr__(self, "profile", MappingProxyType(dict(self.profile)))
        profile_of(self.chain_id, self.profile).check_required(self.confirmations)
        _check_errors(self.errors)
        if self.expires_after is not None:
            _check_seconds("expires_after", self.expires_after)
        if self.sweep_budget < 1:
            raise ValueError(f"sweep_budget must be 1 or more, got {self.sweep_budget!r}")

    @property
    def endpoints(self) -> tuple[ProviderSettings, ...]:
        """All nodes, one or several."""
        if self.rpc_url is None:
            return self.providers
        return (ProviderSettings(SecretUrl.of(self.rpc_url)),)


def _check_errors(signatures: tuple[str, ...]) -> None:
    if isinstance(signatures, str):
        raise ValueError(f"errors must be a tuple of signatures, got {signatures!r}")
    ErrorTable.of(signatures)


def _check_seconds(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be over 0 seconds, got {value!r}")
