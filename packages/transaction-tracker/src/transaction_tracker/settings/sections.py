"""The sections of the configuration; each is a table of the file."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from transaction_tracker.domain import MAX_CONFIRMATIONS, Policy
from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import AllowedHosts, Seconds
from transaction_tracker.settings.values import Database, Signatures, SlotTypes
from transaction_tracker.sources.ethereum.profiles import (
    MAX_BLOCK_TIME_SECONDS,
    MAX_NAME_LENGTH,
    MIN_BLOCK_TIME_SECONDS,
    ChainProfile,
    FeeRule,
    profile_of,
)
from transaction_tracker.store.url import DatabaseUrl

_MAX_CHAIN_ID = 2**63 - 1


class DatabaseSection(Section):
    """The database of transactions, events and blocks."""

    url: Database = option(
        DatabaseUrl.of("transactions.db"),
        "a file name, :memory:, sqlite:///file or postgresql://user:password@host/name",
        "The database. A missing file is created. The password is never printed.",
        secret=True,
    )


class ProfileSection(Section):
    """Changes to the profile of the chain, or the profile of an unknown chain."""

    name: str | None = option(
        None,
        f"a text of 1 to {MAX_NAME_LENGTH} characters",
        "Name of the chain.",
        min_length=1,
        max_length=MAX_NAME_LENGTH,
    )
    block_time: Seconds | None = option(
        None,
        f"10ms to 1h: {SECONDS}",
        "Time between two blocks. source.block_time overrides it.",
        ge=MIN_BLOCK_TIME_SECONDS,
        le=MAX_BLOCK_TIME_SECONDS,
    )
    account_nonces: bool | None = option(
        None,
        "true or false",
        "Whether accounts number their transactions. If false, a transaction is never replaced.",
    )
    slot_types: SlotTypes | None = option(
        None,
        "a list of transaction types, such as [0, 1, 2, 0x7b], without those of the chain itself",
        "All transaction types for which each pair of sender and nonce can be used once, including "
        "Ethereum's own types.",
    )
    fee: FeeRule | None = option(
        None,
        ", ".join(f'"{rule}"' for rule in get_args(FeeRule)[:-1])
        + f' or "{get_args(FeeRule)[-1]}"',
        "Rule for the fee of a transaction.",
    )
    parent_links: bool | None = option(
        None,
        "true or false",
        "Whether the parent hash of a block is the hash of the previous block.",
    )
    null_rounds: bool | None = option(
        None, "true or false", "Whether some block numbers have no block."
    )
    finality_tags: bool | None = option(
        None, "true or false", 'Whether nodes support the tags "safe" and "finalized".'
    )

    @property
    def changes(self) -> dict[str, object]:
        """The attributes that are set."""
        return {name: value for name, value in self if value is not None}


class SourceSection(Section):
    """The source of the transactions, and when their states are final."""

    type: Literal["ethereum", "http"] = option(
        "ethereum",
        '"ethereum" or "http"',
        'Type of the source: "ethereum" is an EVM chain, reached through [[providers]]; "http" is '
        "a service that is polled over HTTP, described in [http].",
    )
    chain_id: int | None = option(
        None,
        "a chain's number, 1 or more",
        "Chain that all providers must be on. Default: the chain of most providers.",
        ge=1,
        le=_MAX_CHAIN_ID,
    )
    confirmations: (
        Annotated[int, Field(ge=1, le=MAX_CONFIRMATIONS)] | Literal["safe", "finalized"]
    ) = option(
        12,
        f'a number of blocks, 1 to {MAX_CONFIRMATIONS:,}, or "safe" or "finalized"',
        "Number of blocks, including the transaction's own, that make a state final; or the "
        "chain's tag.",
    )
    poll_interval: Seconds = option(
        1.0,
        f"over 0, up to 1h: {SECONDS}",
        'Time between two requests for the head while a block is due. With type "http": time '
        "between two checks for transactions that are due.",
        gt=0,
        le=3600,
    )
    block_time: Seconds | None = option(
        None,
        f"over 0, up to 1h: {SECONDS}",
        "Time between two blocks. Default: the time in the chain's profile. The source is reported "
        "as halted or lagging after five block times without progress, but at least 60 s; a "
        "connection to a ws_url is reopened after three block times without a head.",
        gt=0,
        le=3600,
    )
    sweep_budget: int = number(
        20,
        1,
        1000,
        "Maximum number of calls about single transactions per block, in one batch. These calls "
        "find changes that blocks alone do not show.",
    )
    drop_after_blocks: int = option(
        Policy().drop_blocks,
        "a number of blocks, 0 or more",
        "Number of blocks for which a transaction must be missing at all providers before it is "
        "dropped.",
        ge=0,
        le=1_000_000,
    )
    drop_after_seconds: Seconds = option(
        Policy().drop_seconds,
        f"0 or more: {SECONDS}",
        "Time for which it must be missing as well.",
        ge=0,
        le=31_536_000,
    )
    stuck_after: Seconds = option(
        Policy().stuck_seconds,
        f"0 or more: {SECONDS}",
        "Time after which a pending transaction is flagged as stuck.",
        ge=0,
        le=31_536_000,
    )
    expires_after: Seconds | None = option(
        None,
        f"over 0: {SECONDS}",
        "Time since registration after which a transaction that is not in a block expires. With "
        'type "http": one that has not ended. Default: never.',
        gt=0,
        le=315_360_000,
    )
    follow_repriced: bool = option(
        False,
        "true or false",
        "Whether to also track the transaction that repriced a tracked one.",
    )
    errors: Signatures = option(
        (),
        'a list of signatures, such as ["InsufficientBalance(uint256 available, uint256 required)"]'
        "; as a variable, JSON, or separated by semicolons",
        "Signatures of contracts' custom errors, to decode revert reasons.",
    )
    profile: ProfileSection = ProfileSection()

    def chain_profile(self, chain_id: int | None = None) -> ChainProfile:
        """Return the changed profile of the configured chain; of ``chain_id`` if none is set."""
        return profile_of(self.chain_id or chain_id, self.profile.changes)


class WebhooksSection(Section):
    """The delivery of events to webhook endpoints."""

    allow_private: AllowedHosts = option(
        (),
        'a list of networks, addresses and host names, such as ["10.0.0.0/8"]',
        "Hosts that endpoints can have although they are not public or do not use TLS. Other such "
        "hosts are refused, to prevent server-side request forgery (SSRF).",
    )


class RetentionSection(Section):
    """How long transactions are kept after their end."""

    ended: Seconds | None = option(
        None,
        f"1h or more: {SECONDS}",
        "Time after which an ended transaction is removed with its events. Default: never.",
        ge=3600,
        le=3_153_600_000,
    )


class LogsSection(Section):
    """The log of the service, on standard error."""

    format: Literal["json", "text"] = option(
        "text", '"json" or "text"', "Format: one JSON object per line, or text for people."
    )
    level: Literal["debug", "info", "warning", "error"] = option(
        "info", '"debug", "info", "warning" or "error"', "Lowest level that is logged."
    )
