"""Rules by token and amount in the configuration, and the sources that each is about."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field

from transaction_tracker.domain import MAX_CONFIRMATIONS, Rule
from transaction_tracker.domain.numbers import whole_number
from transaction_tracker.follower.options import ChainOptions
from transaction_tracker.options import Section, option
from transaction_tracker.options.values import printed, text_of
from transaction_tracker.sources.ethereum.checksum import checked_contract

MAX_RULES = 100
NATIVE = "native"
_MAX_VALUE = 2**256 - 1


def _token(value: Any) -> str:
    text = text_of(value)
    return text if text == NATIVE else checked_contract(text)


def _amount(value: Any) -> int:
    """Convert an amount: a TOML integer, or its decimal text, because many tools round integers."""
    number = whole_number(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int):
        raise ValueError("not a whole number")
    if not 0 <= number <= _MAX_VALUE:
        raise ValueError("out of range")
    return number


class RuleOptions(Section):
    """One rule by token and amount, which raises the required confirmations of large payments."""

    token: Annotated[str, BeforeValidator(_token)] = option(
        NATIVE,
        f'the address of a contract, 0x and 40 hexadecimal digits, or "{NATIVE}" for the coin, '
        "which the zero address does not stand for",
        "Token of the payment: the sum of its transfers in the transaction counts. Default: the "
        "chain's coin.",
    )
    value: Annotated[int, BeforeValidator(_amount), printed] = option(
        ...,
        "a whole number of the smallest unit, 0 to 2^256 - 1, such as 1000000 or "
        '"1000000000000000000"',
        "Minimum amount, in the smallest unit of the token or the coin.",
    )
    confirmations: (
        Annotated[int, Field(ge=1, le=MAX_CONFIRMATIONS)] | Literal["safe", "finalized"]
    ) = option(
        ...,
        f'a number of blocks, 1 to {MAX_CONFIRMATIONS:,}, or "safe" or "finalized"',
        "What makes the state of such a payment final, if that is more than what the source "
        "requires.",
    )
    source: str | None = option(
        None,
        "the name of one of [[sources]]",
        "Source whose payments the rule is about. Default: all chains.",
    )

    @property
    def rule(self) -> Rule:
        """The rule itself."""
        token = None if self.token == NATIVE else self.token
        return Rule(self.confirmations, self.value, token)


class RuledSource(NamedTuple):
    """A source that rules can be about.

    Attributes:
        kind: ``"ethereum"``, ``"bitcoin"`` or ``"http"``.
        options: When its states are final without a rule.
    """

    kind: str
    options: ChainOptions


def rules_of(rules: Sequence[RuleOptions], source: str | None, kind: str) -> tuple[Rule, ...]:
    """Return the rules about a source.

    Args:
        rules: All rules.
        source: Name of the source in the configuration; ``None`` for the only source.
        kind: Its kind; without a name, a rule about a token is only about chains of Ethereum.
    """
    return tuple(options.rule for options in rules if _is_about(options, source, kind))


def rule_conflicts(
    rules: Sequence[RuleOptions], sources: Mapping[str | None, RuledSource]
) -> Iterator[tuple[int, str, str]]:
    """Yield the rules that cannot be obeyed.

    Args:
        rules: The rules.
        sources: The sources by name; the name of the only source is ``None``.

    Yields:
        The place of the rule in the list, from 0, its option, and what is wrong with it.
    """
    for place, options in enumerate(rules):
        for name, message in _conflicts(options, sources):
            yield place, name, message


def _is_about(options: RuleOptions, source: str | None, kind: str) -> bool:
    if options.source is not None:
        return options.source == source
    return kind == "ethereum" or (kind == "bitcoin" and options.token == NATIVE)


def _conflicts(
    options: RuleOptions, sources: Mapping[str | None, RuledSource]
) -> Iterator[tuple[str, str]]:
    if options.source is not None and options.source not in sources:
        yield "source", _unknown_source(options.source, sources)
        return
    if options.source is None and options.token == NATIVE:
        kinds = {source.kind for source in sources.values() if source.kind != "http"}
        if len(kinds) > 1:
            yield "source", "is required: the units of Ethereum and Bitcoin are different amounts"
            return
    about = {
        name: source
        for name, source in sources.items()
        if _is_about(options, name, source.kind) or (options.source == name and name is not None)
    }
    if not about:
        yield _about_nothing(options)
    for name, source in about.items():
        yield from _of_source(options, name, source)


def _unknown_source(name: str, sources: Mapping[str | None, RuledSource]) -> str:
    names = ", ".join(repr(known) for known in sources if known is not None)
    if not names:
        return f"requires [[sources]], and the only source has no name; remove it, got {name!r}"
    return f"must be the name of one of [[sources]] ({names}), got {name!r}"


def _about_nothing(options: RuleOptions) -> tuple[str, str]:
    if options.token != NATIVE:
        return "token", "requires a chain of Ethereum: no other source has tokens; remove the rule"
    return "value", "requires a chain: a service over HTTP reports no amounts; remove the rule"


def _of_source(
    options: RuleOptions, name: str | None, source: RuledSource
) -> Iterator[tuple[str, str]]:
    table = "source" if name is None else f"source {name!r}"
    if source.kind == "http":
        yield (
            "source",
            f"must be a chain: {name!r} is a service over HTTP, which reports no amounts",
        )
        return
    if source.kind == "bitcoin" and options.token != NATIVE:
        yield "token", f'must be "{NATIVE}" for {table}: Bitcoin has no tokens'
    own, wanted = source.options.confirmations, options.confirmations
    if isinstance(own, str) and not isinstance(wanted, str):
        yield (
            "confirmations",
            f'must be "safe" or "finalized" for {table}, whose confirmations are "{own}": a number '
            f"never requires more than a tag; got {wanted}",
        )
    if source.kind == "bitcoin" and isinstance(wanted, str):
        message = (
            f'must be a number of blocks for {table}: Bitcoin has no such tags; got "{wanted}"'
        )
        yield "confirmations", message
    elif source.kind == "ethereum":
        try:
            source.options.chain_profile().check_required(wanted)
        except ValueError as error:
            yield "confirmations", str(error).removeprefix("confirmations ")
