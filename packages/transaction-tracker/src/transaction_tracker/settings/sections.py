"""The sections of the configuration, each a table of the file."""

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from transaction_tracker.domain import Policy
from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.settings.options import (
    AllowList,
    Database,
    Networks,
    NodeUrl,
    Seconds,
    Signatures,
    SlotTypes,
    SocketUrl,
    option,
)
from transaction_tracker.sources.ethereum.client import BATCH_SIZE, DEADLINE_SECONDS
from transaction_tracker.sources.ethereum.profiles import (
    MAX_BLOCK_TIME_SECONDS,
    MAX_NAME_LENGTH,
    MIN_BLOCK_TIME_SECONDS,
    ChainProfile,
    FeeRule,
    profile_of,
)
from transaction_tracker.sources.gate import MAX_IN_FLIGHT
from transaction_tracker.store.url import DatabaseUrl

_LARGEST_CHAIN_ID = 2**63 - 1


class Section(BaseModel):
    """A table: unknown keys are errors, and what was read stays as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse true and false where a number is asked for: Python would take them for 1 and 0."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and bool not in (kind, *get_args(kind)):
            raise ValueError("not a number")
        return value


class DatabaseSection(Section):
    """Where transactions, events and blocks are kept."""

    url: Database = option(
        DatabaseUrl.of("transactions.db"),
        "a file name, :memory:, sqlite:///file or postgresql://user:password@host/name",
        "The database; a file is made when it is missing. Its password is never printed.",
        secret=True,
    )


class ProfileSection(Section):
    """What the chain does differently, where the tracker's own table is wrong or lacks it."""

    name: str | None = option(
        None,
        f"a text of 1 to {MAX_NAME_LENGTH} characters",
        "The chain's name.",
        min_length=1,
        max_length=MAX_NAME_LENGTH,
    )
    block_time: Seconds | None = option(
        None,
        f"10ms to 1h: {SECONDS}",
        "Time from block to block; source.block_time counts more.",
        ge=MIN_BLOCK_TIME_SECONDS,
        le=MAX_BLOCK_TIME_SECONDS,
    )
    account_nonces: bool | None = option(
        None,
        "true or false",
        "Whether accounts number their transactions; without that, none is ever replaced.",
    )
    slot_types: SlotTypes | None = option(
        None,
        "a list of transaction types, such as [0, 1, 2, 0x7b], without those of the chain itself",
        "Transaction types for which sender and nonce can be used once; all of them, not only "
        "those that the chain adds.",
    )
    fee: FeeRule | None = option(
        None,
        ", ".join(f'"{rule}"' for rule in get_args(FeeRule)[:-1])
        + f' or "{get_args(FeeRule)[-1]}"',
        "How the fields of a receipt make the fee.",
    )
    parent_links: bool | None = option(
        None,
        "true or false",
        "Whether the parent hash of a block is the hash of the block before it.",
    )
    null_rounds: bool | None = option(
        None, "true or false", "Whether there are block numbers without a block."
    )
    finality_tags: bool | None = option(
        None, "true or false", 'Whether nodes know the tags "safe" and "finalized".'
    )

    @property
    def changes(self) -> dict[str, object]:
        """The attributes that are set."""
        return {name: value for name, value in self if value is not None}


class SourceSection(Section):
    """Where the transactions live, and when their states are certain."""

    type: Literal["ethereum", "http"] = option(
        "ethereum",
        '"ethereum" or "http"',
        "The kind of source: an EVM chain behind JSON-RPC, which [[providers]] name; or a service "
        "that is asked over HTTP, which [http] names.",
    )
    chain_id: int | None = option(
        None,
        "a chain's number, 1 or more",
        "The chain that all providers must be on; without it the word of most providers counts.",
        ge=1,
        le=_LARGEST_CHAIN_ID,
    )
    confirmations: Annotated[int, Field(ge=1, le=10_000)] | Literal["safe", "finalized"] = option(
        12,
        'a number of blocks, 1 to 10,000, or "safe" or "finalized"',
        "Blocks, its own counted, that make a state final; or the chain's own tag.",
    )
    poll_interval: Seconds = option(
        1.0,
        f"over 0, up to 1h: {SECONDS}",
        "Time between questions for the head while a block is due; over HTTP, between two looks "
        "at whose turn it is.",
        gt=0,
        le=3600,
    )
    block_time: Seconds | None = option(
        None,
        f"over 0, up to 1h: {SECONDS}",
        "Time from block to block; without it, that of the chain's profile. The source is reported "
        "as halted or lagging after five without progress, at least 60 s; a connection to a ws_url "
        "is reopened after three without a head.",
        gt=0,
        le=3600,
    )
    sweep_budget: int = option(
        20,
        "a number, 1 to 1,000",
        "Calls about single transactions, in one batch a block: following alone can miss things.",
        ge=1,
        le=1000,
    )
    drop_after_blocks: int = option(
        Policy().drop_blocks,
        "a number of blocks, 0 or more",
        "Blocks for which a transaction must be missing everywhere before it is dropped.",
        ge=0,
        le=1_000_000,
    )
    drop_after_seconds: Seconds = option(
        Policy().drop_seconds,
        f"0 or more: {SECONDS}",
        "Time for which it must be missing, too.",
        ge=0,
        le=31_536_000,
    )
    stuck_after: Seconds = option(
        Policy().stuck_seconds,
        f"0 or more: {SECONDS}",
        "A transaction that is pending for longer is flagged as stuck.",
        ge=0,
        le=31_536_000,
    )
    expires_after: Seconds | None = option(
        None,
        f"over 0: {SECONDS}",
        "A transaction that is in no block, or over HTTP at no end, so long after its registration "
        "is expired; without it, never.",
        gt=0,
        le=315_360_000,
    )
    follow_repriced: bool = option(
        False, "true or false", "Whether to follow the winner when a transaction is repriced."
    )
    errors: Signatures = option(
        (),
        'a list of signatures, such as ["InsufficientBalance(uint256 available, uint256 required)"]'
        "; as a variable, JSON, or with semicolons between",
        "Custom errors of contracts, to decode why transactions reverted.",
    )
    profile: ProfileSection = ProfileSection()

    def chain_profile(self, chain_id: int | None = None) -> ChainProfile:
        """Return the profile of a chain, or of the configured one, with the changes."""
        return profile_of(self.chain_id or chain_id, self.profile.changes)


class ProviderSection(Section):
    """One RPC endpoint of the chain; give several, and one may fail."""

    url: NodeUrl = option(
        ...,
        "an address such as http://host:port or https://host/key",
        "The endpoint. Only its host is ever printed.",
        secret=True,
    )
    ws_url: SocketUrl | None = option(
        None,
        "an address such as ws://host:port or wss://host/key",
        "Where it tells of new heads at once; without it, it is asked for them.",
        secret=True,
    )
    requests_per_second: float | None = option(
        None,
        "a number over 0",
        "Calls per second, each call of a batch counted; without it, no limit of ours.",
        gt=0,
        le=1_000_000,
        allow_inf_nan=False,
    )
    burst: int | None = option(
        None,
        "a number, 1 to 100,000",
        "Calls that may go at once after a rest; without it, those of one second.",
        ge=1,
        le=100_000,
    )
    max_in_flight: int = option(
        MAX_IN_FLIGHT,
        "a number, 1 to 1,000",
        "Requests that may wait for their answers at the same time.",
        ge=1,
        le=1_000,
    )
    batch_size: int = option(
        BATCH_SIZE,
        "a number, 1 to 10,000",
        "Calls in one request; it takes fewer when the endpoint refuses so many.",
        ge=1,
        le=10_000,
    )
    deadline: Seconds = option(
        DEADLINE_SECONDS,
        f"over 0, up to 5m: {SECONDS}",
        "Time that one request may take in all.",
        gt=0,
        le=300,
    )


class WebSection(Section):
    """The HTTP API, the metrics and the health checks."""

    host: str = option(
        "127.0.0.1",
        "an address to listen on, such as 127.0.0.1 or 0.0.0.0",
        "The address to listen on. One that others can reach needs tokens.",
        min_length=1,
        max_length=255,
    )
    port: int = option(
        8080, "a port, 0 to 65535", "The port; 0 takes a free one and prints it.", ge=0, le=65535
    )
    trusted_proxies: Networks = option(
        (),
        'a list of networks, such as ["10.0.0.0/8"]',
        "Proxies whose X-Forwarded-For is believed.",
    )
    max_body_bytes: int = option(
        8 * 2**20, "1,024 or more", "The size of a request's body.", ge=1024, le=2**30
    )
    max_headers_bytes: int = option(
        16 * 1024, "1,024 or more", "The size of a request's line and headers.", ge=1024, le=2**20
    )
    max_requests: int = option(
        2_000, "a number, 1 to 1,000,000", "Requests under way at once.", ge=1, le=1_000_000
    )
    max_connections: int = option(
        4_000,
        "a number, 1 to 1,000,000",
        "Open connections; fewer where the limit of open files leaves too little for the service.",
        ge=1,
        le=1_000_000,
    )
    max_connections_per_address: int = option(
        1_000,
        "a number, 1 to 1,000,000",
        "Open connections from one IPv4 address or IPv6 network (/64); trusted proxies are exempt.",
        ge=1,
        le=1_000_000,
    )
    max_waiters: int = option(
        1_000, "a number, 1 to 1,000,000", "Long polls under way at once.", ge=1, le=1_000_000
    )
    max_streams: int = option(
        200, "a number, 1 to 1,000,000", "Event streams open at once.", ge=1, le=1_000_000
    )
    max_registering: int = option(
        50_000,
        "a number, 1 to 10,000,000",
        "Transactions being registered at once; beyond it, clients are told to come back.",
        ge=1,
        le=10_000_000,
    )
    max_failures: int = option(
        10,
        "a number, 1 to 1,000,000",
        "Wrong tokens from one address in a minute; after more, it is not listened to.",
        ge=1,
        le=1_000_000,
    )


class WebhooksSection(Section):
    """The delivery of events to endpoints."""

    allow_private: AllowList = option(
        (),
        'a list of networks, addresses and host names, such as ["10.0.0.0/8"]',
        "What endpoints may be though it is not public; all else of this kind is refused.",
    )


class RetentionSection(Section):
    """How long is kept what has ended."""

    ended: Seconds | None = option(
        None,
        f"1h or more: {SECONDS}",
        "Transactions that ended so long ago are removed with their events; without it, never.",
        ge=3600,
        le=3_153_600_000,
    )


class LogsSection(Section):
    """What the service writes to standard error."""

    format: Literal["json", "text"] = option(
        "text", '"json" or "text"', "One JSON object a line, or text for people."
    )
    level: Literal["debug", "info", "warning", "error"] = option(
        "info", '"debug", "info", "warning" or "error"', "The least that is written."
    )
