"""Options of the source: the chain, its pace, and when states are final or get worse."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, Field

from transaction_tracker.domain import MAX_CONFIRMATIONS, Policy
from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.follower.address_options import AddressesSection
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import Seconds
from transaction_tracker.sources.bitcoin.networks import NETWORKS, Network
from transaction_tracker.sources.ethereum.options import ProfileSection, Signatures
from transaction_tracker.sources.ethereum.profiles import ChainProfile, profile_of
from transaction_tracker.sources.http_polling import HttpSection
from transaction_tracker.sources.http_polling.id_pattern import compiled

_MAX_CHAIN_ID = 2**63 - 1


def _table(value: Any) -> Any:
    """Convert any mapping to a ``dict``, the only one that pydantic takes for a section."""
    return dict(value) if isinstance(value, Mapping) else value


class ChainOptions(Section):
    """The chain of the transactions, and when their states are final."""

    chain_id: int | None = option(
        None,
        "a chain's number, 1 or more",
        "Chain that all providers must be on. Default: the chain of most providers.",
        ge=1,
        le=_MAX_CHAIN_ID,
    )
    network: Network | None = option(
        None,
        ", ".join(f'"{name}"' for name in NETWORKS[:-1]) + f' or "{NETWORKS[-1]}"',
        'With type "bitcoin": network that all providers must be on. Default: that of most '
        "providers.",
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
    rebroadcast: bool = option(
        False,
        "true or false",
        "Whether transactions that are registered as raw signed transactions are sent to all "
        "providers again while none has them. No key is needed for that.",
    )
    errors: Signatures = option(
        (),
        'a list of signatures, such as ["InsufficientBalance(uint256 available, uint256 required)"]'
        "; as a variable, JSON, or separated by semicolons",
        "Signatures of contracts' custom errors, to decode revert reasons.",
    )
    profile: Annotated[ProfileSection, BeforeValidator(_table)] = ProfileSection()
    addresses: Annotated[AddressesSection, BeforeValidator(_table)] = AddressesSection()

    @property
    def policy(self) -> Policy:
        """How long a transaction can be in no block before its state gets worse."""
        return Policy(self.drop_after_blocks, self.drop_after_seconds, self.stuck_after)

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield a tag that the configured chain does not support, and equal tokens."""
        try:
            self.chain_profile().check_required(self.confirmations)
        except ValueError as error:
            message = str(error).removeprefix("confirmations ")
            yield "confirmations", message.replace("set profile", f"set {table}profile")
        for name, message in self.addresses.conflicts(f"{table}addresses."):
            yield f"addresses.{name}", message

    def chain_profile(self, chain_id: int | None = None) -> ChainProfile:
        """Return the changed profile of the configured chain; of ``chain_id`` if none is set."""
        return profile_of(self.chain_id or chain_id, self.profile.changes)


# A hash, the same with some digits too few or too many, and for Ethereum an address.
_LENGTHS = (64, 63, 65, 62, 60)
_IDS = {
    "ethereum": [f"0x{'5d' * 20}:7", *(f"0x{('5d' * 33)[:size]}" for size in (*_LENGTHS, 40))],
    "bitcoin": [("5d" * 33)[:size] for size in _LENGTHS],
}

_REQUIRED = "is required for one source of several: transaction ids are told apart by it"


def source_name() -> Any:
    """Declare the option that names a source of several."""
    return option(
        ...,
        "1 to 32 of a-z, 0-9 and -",
        "Name of the source, in the API, in metrics and in logs; unique.",
        pattern=r"^[a-z0-9-]{1,32}$",
    )


class NamedSource(Protocol):
    """What tells one source of several from the others."""

    @property
    def name(self) -> str:
        """Name of the source in the configuration."""
        ...

    @property
    def type(self) -> str:
        """``"bitcoin"`` if it is a network of Bitcoin."""
        ...

    @property
    def chain_id(self) -> int | None:
        """Chain id, if it is an EVM chain."""

    @property
    def network(self) -> str | None:
        """Network, if it is one of Bitcoin."""

    @property
    def http(self) -> HttpSection | None:
        """The service over HTTP, if it is one."""


def unnamed_chain(source: NamedSource) -> Iterator[tuple[str, str]]:
    """Yield the option that names the chain of one source of several, if it is missing."""
    option_name = _naming_option(source)
    if option_name != "http.name" and getattr(source, option_name) is None:
        yield option_name, _REQUIRED


def equal_sources(sources: Sequence[NamedSource]) -> Iterator[tuple[int, str, str]]:
    """Yield the sources that cannot be told from an earlier one.

    Yields:
        The place of the source in the list, from 0, its option, and what is wrong with it.
    """
    names: dict[object, str] = {}
    for place, source in enumerate(sources):
        chain = _chain(source)
        if source.name in names.values():
            yield place, "name", f"must be unique, got {source.name!r} again"
        elif chain is not None and chain in names:
            message = f"must be unique; {names[chain]!r} has {chain} already"
            yield place, _naming_option(source), message
        names.setdefault(chain if chain is not None else place, source.name)


def overlapping_ids(sources: Sequence[NamedSource]) -> Iterator[tuple[int, str, str]]:
    """Yield the services over HTTP that take the hash of a chain beside them for an id of theirs.

    Also a mistyped one: it would be tracked at a service that never has it, and nothing would say
    so.

    Yields:
        The place of the source in the list, from 0, its option, and what is wrong with it.
    """
    chains = {source.type for source in sources if _is_chain(source)}
    ids = [sample for chain in sorted(chains) for sample in _IDS[chain]]
    for place, source in enumerate(sources):
        if source.http is None:
            continue
        pattern = compiled(source.http.id_pattern)
        taken = next((sample for sample in ids if pattern.fullmatch(sample)), None)
        if taken is not None:
            message = (
                "must not match ids of the chains beside it, not even mistyped ones, got "
                f"{source.http.id_pattern!r}, which matches {taken}"
            )
            yield place, "http.id_pattern", message


def _naming_option(source: NamedSource) -> str:
    if source.http is not None or source.type == "http":
        return "http.name"
    return "network" if source.type == "bitcoin" else "chain_id"


def _is_chain(source: NamedSource) -> bool:
    return source.http is None and source.type != "http"


def _chain(source: NamedSource) -> str | None:
    """Return what must be unique, or ``None`` if it is not given."""
    if source.http is not None:
        return f"http {source.http.name}"
    if source.type == "bitcoin":
        return None if source.network is None else f"bitcoin {source.network}"
    if source.type == "http" or source.chain_id is None:
        return None
    return f"{source.chain_id}"


class _Type(Section):
    """The type of the source, the first option of its table."""

    type: Literal["ethereum", "bitcoin", "http"] = option(
        "ethereum",
        '"ethereum", "bitcoin" or "http"',
        'Type of the source: "ethereum" is an EVM chain and "bitcoin" a network of Bitcoin, both '
        'reached through [[providers]]; "http" is a service that is polled over HTTP, described '
        "in [http].",
    )


class SourceSection(ChainOptions, _Type):
    """The source of the transactions, and when their states are final."""
