"""The base of all faults: which calls a fault applies to, how likely, and how often."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import ClassVar, Self

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.options import OPTIONS, is_control_method
from txtrack_devnode.view import ChainView


@dataclass(frozen=True, slots=True)
class Call:
    """A method call of a client."""

    method: str
    params: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Common options of all faults; this class itself has no effect.

    Args:
        times: How many times the fault is triggered; ``None`` for no limit.
        probability: Probability that it is triggered by a call that it applies to.
        methods: Methods that it applies to. Default: all that this kind of fault can apply to.
        about: Hash of a transaction or block: the fault applies only to calls with this
            parameter.

    Raises:
        ValueError: An option is invalid.
    """

    name: ClassVar[str]
    concerned: ClassVar[frozenset[str]] = frozenset()
    """Methods that this kind of fault can apply to; empty for all."""

    times: int | None = None
    probability: float = 1.0
    methods: frozenset[str] = frozenset()
    about: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            option, value = OPTIONS[field.name], getattr(self, field.name)
            if not option.is_valid(value):
                message = f"{self.name}: {field.name} must be {option.expected}, got {value!r}"
                raise ValueError(message)
        if self.concerned and not self.methods <= self.concerned:
            raise ValueError(
                f"{self.name}: methods must be some of {'+'.join(sorted(self.concerned))}, "
                f"got {'+'.join(sorted(self.methods))}"
            )

    @property
    def constant(self) -> bool:
        """Whether it applies to every call, every time."""
        whole = self.methods in (frozenset(), self.concerned) and self.about is None
        return whole and self.times is None and self.probability == 1.0

    def concerns(self, call: Call) -> bool:
        """Return whether the fault can apply to this call."""
        allowed = self.methods or self.concerned
        if is_control_method(call.method) or (allowed and call.method not in allowed):
            return False
        return self.about is None or self.about in _texts(call.params)

    def resolved(self, chain: Chain) -> Self:
        """Return the fault with options filled in from the chain, at the time of injection."""
        del chain
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFault(Fault):
    """The node answers from another state of the chain, the same for a whole request."""

    def view(self, chain: Chain, random: Random) -> Chain | ChainView:
        """Return the state that the node answers from."""
        raise NotImplementedError


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value.lower()
    elif isinstance(value, dict):
        yield from (item.lower() for item in value.values() if isinstance(item, str))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
