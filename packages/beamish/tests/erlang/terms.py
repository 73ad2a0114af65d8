"""Random Erlang terms."""

import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from beamish.erlang import (
    Atom,
    BitString,
    ErlangFunction,
    ErlangPort,
    ErlangRef,
    ImproperList,
    MapPairs,
    ProcessIdentity,
)

_WORDS = st.integers(0, 2**32 - 1)
_NODES = st.sampled_from(["ex@127.0.0.1", "grün@host"]).map(Atom)
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_VALUES = ("true", "false", "nil")

_INTEGERS = st.integers() | st.integers(0, 300) | st.integers(-(2**3000), 2**3000)
_ATOMS = (_TEXT | st.text("é€", min_size=100, max_size=255)).filter(lambda t: t not in _VALUES)
_BITS = st.builds(
    # The unused bits must be 0, as Erlang sends them.
    lambda data, bits: BitString(
        data[:-1] + bytes((data[-1] & (0xFF << (8 - bits)) & 0xFF,)), bits
    ),
    st.binary(min_size=1, max_size=20),
    st.integers(1, 7),
)


def leaves(*, identities: bool = True) -> st.SearchStrategy[Any]:
    """Return terms without parts.

    Args:
        identities: Whether pids, references, ports and functions are among them.
    """
    plain: st.SearchStrategy[Any] = st.one_of(
        _INTEGERS,
        st.floats(allow_nan=False, allow_infinity=False),
        st.binary(max_size=300),
        st.none(),
        st.booleans(),
        _ATOMS.map(Atom),
        _BITS,
    )
    if not identities:
        return plain
    return st.one_of(
        plain,
        st.builds(ProcessIdentity, _NODES, st.integers(0, 2**15 - 1), _WORDS, _WORDS),
        st.builds(
            ErlangRef,
            _NODES,
            _WORDS,
            st.tuples(st.integers(0, 2**18 - 1), _WORDS, _WORDS),
        ),
        st.builds(ErlangPort, _NODES, st.integers(0, 2**64 - 1), _WORDS),
        st.builds(ErlangFunction, _ATOMS.map(Atom), _ATOMS.map(Atom), st.integers(0, 255)),
    )


def _containers(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(parts, max_size=6)
    long_tuples = st.integers(256, 300).map(lambda count: (1,) * count)
    return st.one_of(
        lists,
        lists.map(tuple),
        long_tuples,
        st.builds(
            ImproperList,
            st.lists(parts, min_size=1, max_size=3).map(tuple),
            leaves(identities=False),
        ),
        st.lists(st.tuples(parts, parts), max_size=5).map(_as_map),
    )


def _as_map(pairs: list[tuple[Any, Any]]) -> Any:
    """Return a map that decoding makes of these pairs; of equal keys, one stays."""
    unique = {repr(_exact(key)): (key, value) for key, value in pairs}.values()
    try:
        found = dict(unique)
    except TypeError:
        return MapPairs(tuple(unique))
    return found if len(found) == len(unique) else MapPairs(tuple(unique))


def _exact(key: Any) -> Any:
    """Return ``key`` with what Erlang takes for the same: zeros have no sign as keys."""
    return 0.0 if isinstance(key, float) and key == 0 else key


def terms(*, identities: bool = True) -> st.SearchStrategy[Any]:
    """Return terms of all types, nested."""
    return st.recursive(leaves(identities=identities), _containers, max_leaves=30)


_RANDOM_LEAVES: tuple[Callable[[random.Random], Any], ...] = (
    lambda rng: rng.randrange(-20, 300),
    lambda rng: rng.randrange(-(2**40), 2**40),
    lambda rng: rng.getrandbits(rng.randrange(3000)) * rng.choice((1, -1)),
    lambda rng: rng.uniform(-1, 1) * 10.0 ** rng.randrange(-300, 300),
    lambda rng: rng.randbytes(rng.randrange(40)),
    lambda rng: rng.choice((True, False, None)),
    lambda rng: Atom(rng.choice(("", "undefined", "Elixir.Enum", "grün €", "é" * 255))),
    lambda rng: BitString(rng.randbytes(rng.randrange(4)) + b"\xe0", 3),
    lambda rng: ProcessIdentity(Atom("ex@host"), rng.randrange(2**15), rng.randrange(2**13), 7),
    lambda rng: ErlangRef(Atom("ex@host"), 7, (rng.randrange(2**18), rng.getrandbits(32), 1)),
    lambda rng: ErlangPort(Atom("ex@host"), rng.getrandbits(64), 7),
    lambda rng: ErlangFunction(Atom("lists"), Atom("sort"), rng.randrange(256)),
)


def random_term(rng: random.Random, depth: int = 4) -> Any:
    """Return a random term; a thousand times as fast as Hypothesis makes one."""

    def parts() -> list[Any]:
        return [random_term(rng, depth - 1) for _ in range(rng.randrange(5))]

    match rng.randrange(9) if depth else 9:
        case 0:
            return parts()
        case 1:
            return tuple(parts())
        case 2:
            return _as_map([(key, random_term(rng, depth - 1)) for key in parts()])
        case 3:
            return ImproperList((*parts(), 1), rng.randrange(9))
    return rng.choice(_RANDOM_LEAVES)(rng)
