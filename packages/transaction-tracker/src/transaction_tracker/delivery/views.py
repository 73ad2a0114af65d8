"""Shapes of the JSON of a transaction and its events, which the webhooks and the API share."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self, TypeAlias

import orjson
from pydantic import Field, WithJsonSchema

from transaction_tracker.domain import BlockRef, FeeScope, Flag, Outcome, Standard, State
from transaction_tracker.store.details import MAX_TRANSFERS
from transaction_tracker.store.feed import EventRecord

# 1 had neither details nor an expectation, 2 had neither hash nor caip_id, 3 had no decimals and
# symbols of tokens, and neither address nor deposits.
PAYLOAD_VERSION = 4

# A `orjson.Fragment`: the metadata is JSON that this program wrote, so it is inserted unparsed.
Metadata: TypeAlias = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "object",
            "additionalProperties": True,
            "description": "Metadata of the registration or of a change of it; of a deposit, at "
            "first that of its address.",
        }
    ),
]


@dataclass(kw_only=True)
class BlockView:
    """A block."""

    number: Annotated[int, Field(description="Height of the block.")]
    hash: Annotated[str, Field(description="Hash of the block.")]

    @classmethod
    def of(cls, block: BlockRef | None) -> Self | None:
        """Return the shape of a block, if there is one."""
        return None if block is None else cls(number=block.number, hash=block.hash)


@dataclass(kw_only=True)
class OutcomeView:
    """Outcome of a transaction in its block."""

    succeeded: Annotated[
        bool,
        Field(description="Whether the transaction succeeded; if not, `error` can say why."),
    ]
    fee: Annotated[
        str | None, Field(description="Fee in the chain's smallest unit (wei), as decimal text.")
    ]
    fee_scope: Annotated[
        FeeScope | None,
        Field(
            description="total: the whole fee. execution: without fees that the chain charges in "
            "addition, such as the fee for publishing data on another chain."
        ),
    ]
    error: Annotated[
        str | None,
        Field(description="Why it failed; null if it succeeded or the source does not say."),
    ]

    @classmethod
    def of(cls, outcome: Outcome | None) -> Self | None:
        """Return the shape of an outcome, if there is one."""
        if outcome is None:
            return None
        has_fee = outcome.fee is not None
        return cls(
            succeeded=outcome.succeeded,
            # Decimal text: many JSON parsers read numbers as 64-bit floats, which cannot hold a fee
            # in wei exactly.
            fee=str(outcome.fee) if has_fee else None,
            fee_scope=outcome.fee_scope if has_fee else None,
            error=outcome.error,
        )


@dataclass(kw_only=True)
class TransferView:
    """A transfer of a token, from a log of the transaction."""

    index: Annotated[
        int,
        Field(
            description="Position of its log among the logs of the transaction, from 0. The "
            "transfers of an ERC-1155 batch share one."
        ),
    ]
    standard: Annotated[Standard, Field(description="Standard of the token's contract.")]
    token: Annotated[str, Field(description="Address of the token's contract.")]
    from_: Annotated[
        str,
        Field(
            alias="from",
            description="Address that the tokens leave; the zero address if they are created.",
        ),
    ]
    to: Annotated[
        str,
        Field(description="Address that gets the tokens; the zero address if they are destroyed."),
    ]
    value: Annotated[
        str | None,
        Field(
            description="Amount in the token's smallest unit, as decimal text; null for ERC-721. "
            "`decimals` says where its point is."
        ),
    ]
    token_id: Annotated[
        str | None, Field(description="Id within the contract, as decimal text; null for ERC-20.")
    ]
    decimals: Annotated[
        int | None,
        Field(
            description="Number of decimals of `value`, as the token's contract says; null while "
            "it is unknown, and except for ERC-20. An event keeps what was known when it was "
            "written."
        ),
    ] = None
    symbol: Annotated[
        str | None,
        Field(
            description="Short name, as the token's contract says. Any contract can have any name: "
            "`token` says which token it is."
        ),
    ] = None


@dataclass(kw_only=True)
class OutputView:
    """One output of a Bitcoin transaction."""

    index: Annotated[int, Field(description="Position of the output in the transaction, from 0.")]
    to: Annotated[str | None, Field(description="Null for a script without an address.")]
    value_sat: Annotated[str, Field(description="Amount in satoshi, as decimal text.")]


@dataclass(kw_only=True)
class DetailsView:
    """Who paid whom how much. Each field is null while it is unknown.

    From the state pending on: `from`, `to`, `value_wei` and `nonce`. From the state mined on: the
    other fields. Addresses are in lower case.
    """

    from_: Annotated[
        str | None,
        Field(
            alias="from",
            description="Address of the sender; always null on Bitcoin, where inputs name no "
            "account.",
        ),
    ]
    to: Annotated[str | None, Field(description="Null also if a contract is created.")]
    value_wei: Annotated[
        str | None,
        Field(
            description="Amount of the chain's coin in its smallest unit (wei), as decimal text."
        ),
    ]
    nonce: Annotated[int | None, Field(description="Nonce of the sender.")]
    fee_wei: Annotated[
        str | None, Field(description="The fee of `outcome`; its `fee_scope` says what is in it.")
    ]
    gas_used: Annotated[int | None, Field(description="Units of gas that the execution used.")]
    block_time: Annotated[
        Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})] | None,
        Field(description="Time of the block, as the block says."),
    ]
    contract_address: Annotated[str | None, Field(description="Contract that was created.")]
    transfers: Annotated[
        list[TransferView] | None,
        Field(description=f"The first {MAX_TRANSFERS} token transfers, in the order of the logs."),
    ]
    transfer_count: Annotated[int | None, Field(description="Number of all token transfers.")]
    malformed_logs: Annotated[
        int | None,
        Field(
            description="Number of logs that are unreadable, or that are named like a transfer and "
            "are none by the standard of any token."
        ),
    ]
    value_sat: Annotated[
        str | None,
        Field(description="Only of Bitcoin: amount of the single output that pays, in satoshi."),
    ] = None
    fee_sat: Annotated[str | None, Field(description="Only of Bitcoin: the fee in satoshi.")] = None
    outputs: Annotated[
        list[OutputView] | None, Field(description="Only of Bitcoin: the first 100 outputs.")
    ] = None
    output_count: Annotated[
        int | None, Field(description="Only of Bitcoin: number of all outputs.")
    ] = None


@dataclass(kw_only=True)
class ExpectedView:
    """The payment that is expected; null for what can be anything."""

    from_: Annotated[str | None, Field(alias="from", description="Address of the payer.")]
    to: Annotated[str | None, Field(description="Address of the recipient.")]
    value: Annotated[
        str | None, Field(description="Exact amount in wei, or in the token's smallest unit.")
    ]
    min_value: Annotated[
        str | None, Field(description="Minimum amount in wei, or in the token's smallest unit.")
    ]
    token: Annotated[
        str | None, Field(description="Contract of the token; null for the chain's coin.")
    ]


@dataclass(kw_only=True)
class DifferenceView:
    """A difference between the transaction and the expected payment."""

    field: Annotated[
        Literal["state", "from", "to", "token", "value", "min_value"],
        Field(
            description="Field of `expected`; `state` if a transaction in this state pays nothing."
        ),
    ]
    expected: Annotated[str, Field(description="The expected value, as text.")]
    actual: Annotated[
        str | None, Field(description="The actual value, as text; null if there is none.")
    ]


@dataclass(kw_only=True)
class ExpectationView:
    """Whether the transaction is the expected payment."""

    expected: Annotated[
        ExpectedView,
        Field(description="The payment that the registration, or a change of it, expects."),
    ]
    matches: Annotated[bool | None, Field(description="Null while that is unknown.")]
    differences: Annotated[
        list[DifferenceView],
        Field(
            description="Each difference; empty if the payment matches, or while that is unknown."
        ),
    ]


@dataclass(kw_only=True)
class DepositView:
    """What the transaction pays to one watched address, in one currency."""

    address: Annotated[str, Field(description="The watched address.")]
    token: Annotated[str | None, Field(description="Contract; null for the chain's coin.")]
    value: Annotated[
        str,
        Field(
            description="Sum of the payments in wei, or in the token's smallest unit, as decimal "
            "text."
        ),
    ]


# What is stored is JSON of these shapes, so it is inserted unparsed, as an `orjson.Fragment`.
Details: TypeAlias = Annotated[
    DetailsView | None, Field(description="Null while nothing is known, and without a chain.")
]
Hash: TypeAlias = Annotated[
    str | None,
    Field(
        description="Hash of the transaction that used the nonce, if `id` is a sender and a nonce; "
        "null until a block has one, and for any other id."
    ),
]
Expectation: TypeAlias = Annotated[
    ExpectationView | None, Field(description="Null if nothing is expected.")
]
Address: TypeAlias = Annotated[
    str | None,
    Field(
        description="The watched address that the transaction pays, the first of `deposits`; null "
        "if it pays none."
    ),
]
Deposits: TypeAlias = Annotated[
    list[DepositView] | None,
    Field(
        description="What the transaction pays to watched addresses, as its last block says; null "
        "if no block has said that it pays one. It is paid once the state is confirmed."
    ),
]


Block: TypeAlias = Annotated[
    BlockView | None,
    Field(
        description="The block that has the transaction, or the one that superseded it; null "
        "while it is in no known block."
    ),
]
InBlock: TypeAlias = Annotated[
    OutcomeView | None,
    Field(description="Its outcome in `block`; null while no block has the transaction itself."),
]
SupersededBy: TypeAlias = Annotated[
    str | None,
    Field(
        description="Id of the transaction that used its nonce, or spent the same Bitcoin output; "
        "null if none has."
    ),
]
ReasonOfState: TypeAlias = Annotated[
    str | None,
    Field(
        description="What superseded it: repriced, cancelled or replaced; or why it is dropped: "
        "nonce-used or conflicted. Null if neither applies."
    ),
]
Flags: TypeAlias = Annotated[
    list[Flag], Field(description="Notable conditions in addition to the state.")
]


def first_address(deposits: str | None) -> str | None:
    """Return the address of the first deposit.

    Args:
        deposits: The deposits of a transaction, as JSON.
    """
    listed = () if deposits is None else orjson.loads(deposits)
    return next((each["address"] for each in listed), None)


def fragment(text: str | None) -> orjson.Fragment | None:
    """Return JSON that this program wrote, to insert it unparsed."""
    return None if text is None else orjson.Fragment(text)


@dataclass(kw_only=True)
class TransitionView:
    """A transition of a transaction, or a change of flags: then `previous` equals `state`."""

    id: Annotated[str, Field(description="Id of the transaction, as it was registered.")]
    hash: Hash
    version: Annotated[
        int,
        Field(
            description="Number of the event among those of its transaction, from 1; they are "
            "delivered in this order."
        ),
    ]
    state: Annotated[State, Field(description="State after the event.")]
    previous: Annotated[
        State, Field(description="State before the event; the same after a change of flags.")
    ]
    block: Block
    outcome: InBlock
    superseded_by: SupersededBy
    reason: ReasonOfState
    flags: Flags
    metadata: Metadata
    payload_version: Annotated[
        int, Field(description="Version of this shape. A later version only has more fields.")
    ] = PAYLOAD_VERSION
    details: Details
    expectation: Expectation
    caip_id: Annotated[
        str,
        Field(
            description="Id with the chain id of CAIP-2 before it, unique over all sources: "
            "eip155:1:0x…."
        ),
    ]
    address: Address
    deposits: Deposits

    @classmethod
    def of(cls, entry: EventRecord, **more: Any) -> Self:
        """Return the shape of an event.

        Args:
            entry: The stored event.
            more: Further fields of a subclass, or other values of the fields.
        """
        tracked = entry.event.tracked
        fields: dict[str, Any] = {
            "id": tracked.key,
            "caip_id": tracked.caip_id,
            "hash": tracked.hash,
            "version": tracked.version,
            "state": tracked.state,
            "previous": entry.event.previous,
            "block": BlockView.of(tracked.anchor),
            "outcome": OutcomeView.of(tracked.outcome),
            "superseded_by": tracked.superseded_by,
            "reason": tracked.reason,
            "flags": sorted(tracked.flags),
            "metadata": orjson.Fragment(entry.metadata),
            "details": fragment(entry.details),
            "expectation": fragment(entry.expectation),
            "address": first_address(entry.deposits),
            "deposits": fragment(entry.deposits),
        }
        fields.update(more)
        return cls(**fields)
