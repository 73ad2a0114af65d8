"""The settings of an application, as Python values."""

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
    """The settings of a tracker application.

    Attributes:
        rpc_url: URL of the Ethereum node, ``http`` or ``https``; ``None`` where ``providers`` are
            given. Prints only its host.
        chain_id: Chain id that the nodes must have. Default: the chain id that they report.
        confirmations: Number of confirmations that make a transaction's state final (its own
            block counts), or a tag of the chain, ``"safe"`` or ``"finalized"``.
        database: A SQLite file, created if it is missing; ``":memory:"``, which is lost at the
            end; or the URL of a PostgreSQL database, whose password is never printed.
        poll_interval: Poll interval for the head in seconds, while a block is due.
        block_time: Seconds between blocks. Default: the block time of the chain's profile. After
            five block times without progress, at least 60 s, the source is reported as halted or
            lagging; after three without a head, a provider's subscription is reconnected.
        profile: Changes to the chain's profile, by attribute of ``ChainProfile``.
        errors: Signatures of custom errors, such as ``"Unpaid(uint256 due)"``, to decode why
            transactions reverted.
        providers: Several nodes of the same chain: one is followed, the others are in reserve.
        policy: Time limits for transactions in no block.
        expires_after: Seconds until a transaction in no block expires, unless it is registered
            with its own deadline. Default: never.
        follow_repriced: Whether the transaction that repriced a tracked one is tracked too.
        sweep_budget: Maximum number of calls about single transactions per block, in one batch.
        migrate: Whether missing or old tables of the database are migrated at the start.
        web: Options of the HTTP API. Default: no API.
        allow_private: Networks, addresses and host names that webhooks can reach although they
            are not public, or by plain HTTP.
        retention: Seconds since its end after which a transaction is removed with its events.
            Default: nothing is removed.
        metrics: Whether metrics are counted without the HTTP API, which always counts them.
        notify_systemd: Whether systemd is notified of the start, the stop and heartbeats. Only for
            a program that is ready when the tracker is.

    Raises:
        ValueError: A value is invalid; the message names it.
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
    retention: float | None = None
    metrics: bool = False
    notify_systemd: bool = False

    def __post_init__(self) -> None:
        if self.rpc_url is not None and self.providers:
            raise ValueError("rpc_url and providers cannot both be given")
        if self.rpc_url is not None:
            object.__setattr__(self, "rpc_url", SecretUrl.of(self.rpc_url))
        # Store a type that never prints its password.
        object.__setattr__(self, "database", DatabaseUrl.of(self.database))
        if self.chain_id is not None and self.chain_id < 1:
            raise ValueError(f"chain_id must be 1 or more, got {self.chain_id!r}")
        check_required(self.confirmations)
        _check_seconds("poll_interval", self.poll_interval)
        if self.block_time is not None:
            _check_seconds("block_time", self.block_time)
        # Store an immutable copy.
        object.__setattr__(self, "profile", MappingProxyType(dict(self.profile)))
        profile_of(self.chain_id, self.profile).check_required(self.confirmations)
        _check_errors(self.errors)
        if self.expires_after is not None:
            _check_seconds("expires_after", self.expires_after)
        if self.retention is not None:
            _check_seconds("retention", self.retention)
        if self.sweep_budget < 1:
            raise ValueError(f"sweep_budget must be 1 or more, got {self.sweep_budget!r}")

    @property
    def endpoints(self) -> tuple[ProviderSettings, ...]:
        """The settings of all nodes."""
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
