"""A fault: a value that says how the node misbehaves, when, and how often."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import ClassVar, Self

from txtrack_devnode.chain import Chain
from txtrack_devnode.faults.options import OPTIONS, exempt
from txtrack_devnode.view import ChainView


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a method that a client asks for."""

    method: str
    params: Sequence[object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What all faults have in common; by itself it does nothing.

    Args:
        times: How often it strikes before it is used up; ``None`` is without end.
        probability: How likely it strikes when it could, by the seeded chance of ``Faults``.
        methods: The methods that it concerns; none means all that it can concern.
        about: A hash: then it concerns only calls that have it among their parameters.

    Raises:
        ValueError: An option has no possible value.
    """

    name: ClassVar[str]
    concerned: ClassVar[frozenset[str]] = frozenset()
    """The methods that this kind can concern; none means all."""

    times: int | None = None
    probability: float = 1.0
    methods: frozenset[str] = frozenset()
    about: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            option, value = OPTIONS[field.name], getattr(self, field.name)
            if not option.fits(value):
                message = f"{self.name}: {field.name} must be {option.wanted}, got {value!r}"
                raise ValueError(message)
        if self.concerned and not self.methods <= self.concerned:
            raise ValueError(
                f"{self.name}: methods must be some of {'+'.join(sorted(self.concerned))}, "
                f"got {'+'.join(sorted(self.methods))}"
            )

    @property
    def constant(self) -> bool:
        """Whether it strikes everything, always: not a part of the calls, nor by chance."""
        whole = self.methods in (frozenset(), self.concerned) and self.about is None
        return whole and self.times is None and self.probability == 1.0

    def concerns(self, call: Call) -> bool:
        """Say whether it may strike this call."""
        allowed = self.methods or self.concerned
        if exempt(call.method) or (allowed and call.method not in allowed):
            return False
        return self.about is None or self.about in _texts(call.params)

    def settled(self, chain: Chain) -> Self:
        """Fill in what is meant as "now", when the fault is injected."""
        del chain
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewFault(Fault):
    """The node answers from another place of the chain: one exchange from one place."""

    def view(self, chain: Chain, chance: Random) -> Chain | ChainView:
        """Return what the node knows, perhaps by chance."""
        raise NotImplementedError


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value.lower()
    elif isinstance(value, dict):
        yield from (item.lower() for item in value.values() if isinstance(item, str))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
