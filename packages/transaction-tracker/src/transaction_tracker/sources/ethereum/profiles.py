"""Differences of EVM chains from Ethereum, as data: one row per chain."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from transaction_tracker.domain import TAGS, Required

# Types whose sender and nonce are a slot on all chains with account nonces: legacy, access list,
# dynamic fee, blob, set code.
STANDARD_TYPES = frozenset((0x0, 0x1, 0x2, 0x3, 0x4))
# Types that no account sends: deposits and L1 messages (OP Stack, Scroll, Morph), Arbitrum's
# system transactions and those from its parent chain, and ZKsync's upgrades and priority
# operations. Their nonces repeat, so a slot would report replacements that did not happen.
NEVER_SLOTS = frozenset((0x7E, *range(0x64, 0x6B), 0xFE, 0xFF))

# Rule that computes the fee from a receipt's fields. "ethereum" is gas used times effective gas
# price, plus blob gas. "scroll" adds the fee for data on the parent chain, "op-stack" also the
# operator fee. "arbitrum" adds nothing: its gas used includes the parent chain's part. "execution"
# is gas used times effective gas price only, for unknown chains.
FeeRule: TypeAlias = Literal["ethereum", "op-stack", "scroll", "arbitrum", "execution"]

_FEE_RULES: tuple[str, ...] = get_args(FeeRule)
MAX_TYPE = 0xFF
MIN_BLOCK_TIME_SECONDS, MAX_BLOCK_TIME_SECONDS = 0.01, 3600.0
MAX_NAME_LENGTH = 80
_SWITCHES = ("account_nonces", "parent_links", "null_rounds", "finality_tags")


@dataclass(frozen=True, slots=True)
class ChainProfile:
    """Differences of a chain from Ethereum.

    The defaults are cautious, for a chain that is not in the table.

    Attributes:
        name: Name of the chain, for people.
        block_time: Seconds between blocks.
        account_nonces: Whether accounts number their transactions. If not, no transaction can take
            the slot of another, and none becomes ``replaced``.
        slot_types: Transaction types whose sender and nonce are a slot.
        fee: Rule that computes the fee from a receipt's fields.
        parent_links: Whether a block's ``parentHash`` is the hash of the block before it. If not,
            blocks are fetched by number, each together with the block below it.
        null_rounds: Whether numbers can be without a block: then a parent can be several numbers
            below.
        finality_tags: Whether the chain has the tags ``safe`` and ``finalized``.

    Raises:
        ValueError: An attribute has the wrong type or range; the message names it.
    """

    name: str = "unknown chain"
    block_time: float = 12.0
    account_nonces: bool = True
    slot_types: frozenset[int] = STANDARD_TYPES
    fee: FeeRule = "execution"
    parent_links: bool = True
    null_rounds: bool = False
    finality_tags: bool = True

    def __post_init__(self) -> None:
        """Check all attributes, because overrides come from a configuration file."""
        _check_name(self.name)
        _check_block_time(self.block_time)
        check_slot_types(self.slot_types)
        if self.fee not in _FEE_RULES:
            raise ValueError(f"fee must be one of {', '.join(_FEE_RULES)}, got {self.fee!r}")
        for name in _SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} must be true or false, got {getattr(self, name)!r}")

    def check_required(self, required: Required) -> None:
        """Raise ``ValueError`` if the chain does not have the required tag.

        On a chain without tags, a transaction that waits for one would never end.
        """
        if required in TAGS and not self.finality_tags:
            raise ValueError(
                f"confirmations must be a number of blocks on {self.name}, whose nodes do not know "
                f"the tag {required!r}; set profile.finality_tags to true if yours do"
            )


def _check_attribute(name: str) -> None:
    allowed = [attribute.name for attribute in fields(ChainProfile)]
    if name in allowed:
        return
    close = difflib.get_close_matches(str(name), allowed, n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ValueError(
        f"unknown attribute {name!r} of a chain profile, must be one of {', '.join(allowed)}{hint}"
    )


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise ValueError(f"name must be a text of 1 to {MAX_NAME_LENGTH} characters, got {name!r}")


def _check_block_time(seconds: object) -> None:
    if (
        not isinstance(seconds, int | float)
        or isinstance(seconds, bool)
        or not MIN_BLOCK_TIME_SECONDS <= seconds <= MAX_BLOCK_TIME_SECONDS
    ):
        raise ValueError(
            f"block_time must be {MIN_BLOCK_TIME_SECONDS} to {MAX_BLOCK_TIME_SECONDS} seconds, "
            f"got {seconds!r}"
        )


def check_slot_types(types: object) -> None:
    """Raise ``ValueError`` unless these are transaction types that can be slots."""
    if not isinstance(types, Iterable) or isinstance(types, str | bytes | Mapping):
        raise ValueError(f"slot_types must be a list of transaction types, got {types!r}")
    for item in types:
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item <= MAX_TYPE:
            raise ValueError(f"slot_types must be numbers from 0 to {MAX_TYPE}, got {item!r}")
        if item in NEVER_SLOTS:
            raise ValueError(
                f"slot_types must not have {item:#x}: transactions of this type are the chain's "
                "own, and their nonces repeat"
            )


UNKNOWN = ChainProfile()


def profile_of(chain_id: int | None, overrides: Mapping[str, object] | None = None) -> ChainProfile:
    """Return the profile of a chain, with the overrides of the configuration.

    Args:
        chain_id: Chain id. A chain that is not in the table gets the cautious defaults.
        overrides: Attributes of ``ChainProfile`` by name. Slot types can be any list of numbers.

    Raises:
        ValueError: An override's name or value is invalid; the message names it.
    """
    found = UNKNOWN if chain_id is None else PROFILES.get(chain_id, UNKNOWN)
    if not overrides:
        return found
    changes = dict(overrides)
    for name in changes:
        _check_attribute(name)
    types = changes.get("slot_types")
    if isinstance(types, list | tuple | set):
        check_slot_types(types)
        changes["slot_types"] = frozenset(types)
    return replace(found, **changes)  # type: ignore[arg-type]


def _ethereum(name: str, block_time: float) -> ChainProfile:
    return ChainProfile(name, block_time, fee="ethereum")


def _op_stack(name: str, block_time: float = 2.0) -> ChainProfile:
    return ChainProfile(name, block_time, fee="op-stack")


def _arbitrum(name: str) -> ChainProfile:
    return ChainProfile(name, 0.25, fee="arbitrum")


def _zksync(name: str) -> ChainProfile:
    # Its NonceHolder accepts each pair of sender and nonce once, in any order.
    return ChainProfile(name, 0.2, slot_types=STANDARD_TYPES | {0x71})


def _celo(name: str) -> ChainProfile:
    # Fees can be paid in other currencies, and a receipt does not say in which (CIP-64).
    return ChainProfile(name, 1.0, slot_types=STANDARD_TYPES | {0x7A, 0x7B, 0x7C})


def _tron(name: str) -> ChainProfile:
    return ChainProfile(name, 3.0, account_nonces=False, finality_tags=False)


def _filecoin(name: str) -> ChainProfile:
    return ChainProfile(name, 30.0, null_rounds=True)


def _unlinked(name: str, block_time: float) -> ChainProfile:
    return ChainProfile(name, block_time, parent_links=False)


# The sources of the values are in docs/tracker/chains.md; a test compares that page with this.
PROFILES: Mapping[int, ChainProfile] = MappingProxyType(
    {
        1: _ethereum("Ethereum", 12.0),
        17000: _ethereum("Holesky", 12.0),
        560048: _ethereum("Hoodi", 12.0),
        11155111: _ethereum("Sepolia", 12.0),
        31337: _ethereum("anvil, Hardhat", 12.0),
        10: _op_stack("OP Mainnet"),
        130: _op_stack("Unichain", 1.0),
        288: _op_stack("Boba"),
        360: _op_stack("Shape"),
        480: _op_stack("World Chain"),
        1135: _op_stack("Lisk"),
        1301: _op_stack("Unichain Sepolia", 1.0),
        1750: _op_stack("Metal L2"),
        1868: _op_stack("Soneium"),
        1946: _op_stack("Soneium Minato"),
        4801: _op_stack("World Chain Sepolia"),
        5330: _op_stack("Superseed"),
        8453: _op_stack("Base"),
        34443: _op_stack("Mode"),
        57073: _op_stack("Ink", 1.0),
        60808: _op_stack("BOB"),
        84532: _op_stack("Base Sepolia"),
        763373: _op_stack("Ink Sepolia", 1.0),
        7777777: _op_stack("Zora"),
        11155420: _op_stack("OP Sepolia"),
        999999999: _op_stack("Zora Sepolia"),
        42161: _arbitrum("Arbitrum One"),
        42170: _arbitrum("Arbitrum Nova"),
        421614: _arbitrum("Arbitrum Sepolia"),
        137: _ethereum("Polygon PoS", 2.0),
        80002: _ethereum("Polygon Amoy", 2.0),
        1101: ChainProfile("Polygon zkEVM"),
        56: _ethereum("BNB Smart Chain", 0.45),
        97: _ethereum("BNB Smart Chain Testnet", 0.45),
        204: ChainProfile("opBNB"),
        5611: ChainProfile("opBNB Testnet"),
        43113: _ethereum("Avalanche Fuji", 1.7),
        43114: _ethereum("Avalanche C-Chain", 1.7),
        100: ChainProfile("Gnosis", 5.0),
        10200: ChainProfile("Gnosis Chiado", 5.0),
        59141: ChainProfile("Linea Sepolia", 2.0),
        59144: ChainProfile("Linea", 2.0),
        534351: ChainProfile("Scroll Sepolia", 3.0, fee="scroll"),
        534352: ChainProfile("Scroll", 3.0, fee="scroll"),
        # Accounts send its own transaction type, 0x7f.
        2818: ChainProfile("Morph", slot_types=STANDARD_TYPES | {0x7F}, fee="scroll"),
        300: _zksync("ZKsync Sepolia"),
        324: _zksync("ZKsync Era"),
        2741: _zksync("Abstract"),
        42220: _celo("Celo"),
        11142220: _celo("Celo Sepolia"),
        5000: ChainProfile("Mantle"),
        81457: ChainProfile("Blast"),
        1001: ChainProfile("Kaia Kairos"),
        8217: ChainProfile("Kaia"),
        728126428: _tron("Tron"),
        2494104990: _tron("Tron Shasta"),
        3448148188: _tron("Tron Nile"),
        295: ChainProfile("Hedera", 2.0),
        296: ChainProfile("Hedera Testnet", 2.0),
        314: _filecoin("Filecoin"),
        314159: _filecoin("Filecoin Calibration"),
        545: _unlinked("Flow EVM Testnet", 0.8),
        747: _unlinked("Flow EVM", 0.8),
        1328: _unlinked("Sei Testnet", 12.0),
        1329: _unlinked("Sei", 12.0),
        25: ChainProfile("Cronos"),
        338: ChainProfile("Cronos Testnet"),
        50: ChainProfile("XDC", 2.0),
        51: ChainProfile("XDC Apothem", 2.0),
        1284: ChainProfile("Moonbeam"),
        1285: ChainProfile("Moonriver"),
        250: ChainProfile("Fantom"),
        146: ChainProfile("Sonic", 0.63),
        80094: ChainProfile("Berachain", 2.0),
        143: ChainProfile("Monad", 0.4),
        10143: ChainProfile("Monad Testnet", 0.4),
        999: ChainProfile("HyperEVM"),
    }
)
