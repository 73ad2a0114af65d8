"""The external term format against ``term_to_binary`` of a real BEAM, 10,000 terms each way."""

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from beamish.erlang import ImproperList, MapPairs, from_binary, to_binary

from .support import tool
from .terms import random_term

pytestmark = [pytest.mark.elixir, pytest.mark.slow]

SCRIPT = Path(__file__).parent / "echo_terms.escript"
TERMS = int(os.environ.get("BEAMISH_TERMS", "10000"))


class Beam:
    """A BEAM that encodes and decodes terms, over its standard input and output."""

    def __init__(self, program: subprocess.Popen[bytes]) -> None:
        assert program.stdin is not None
        assert program.stdout is not None
        self._input, self._output = program.stdin, program.stdout

    def send(self, frame: bytes) -> None:
        self._input.write(len(frame).to_bytes(4, "big") + frame)
        self._input.flush()

    def receive(self) -> bytes:
        return self._output.read(int.from_bytes(self._output.read(4), "big"))

    def recoded(self, encoded: bytes) -> bytes:
        """Decode a term and encode it again."""
        self.send(b"D" + encoded)
        return self.receive()


@pytest.fixture(scope="module")
def beam() -> Iterator[Beam]:
    command = [tool("escript"), str(SCRIPT)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        yield Beam(program)


def comparable(term: Any) -> Any:
    """Return ``term`` as text with maps in one order, as ``1 == 1.0 == True`` in Python."""
    match term:
        case dict():
            return comparable(MapPairs(tuple(term.items())))
        case MapPairs(pairs):
            return "map", sorted(repr((comparable(key), comparable(value))) for key, value in pairs)
        case list() | tuple() if type(term) in (list, tuple):
            return type(term).__name__, [comparable(part) for part in term]
        case ImproperList(elements, tail):
            return "improper", [comparable(part) for part in elements], comparable(tail)
    return repr(term)


def test_beam_gives_random_terms_back_unchanged(beam: Beam) -> None:
    for seed in range(TERMS):
        term = random_term(random.Random(seed))

        decoded = from_binary(beam.recoded(to_binary(term)))

        assert comparable(decoded) == comparable(term), f"seed {seed}"


def test_terms_of_the_beam_come_back_unchanged(beam: Beam) -> None:
    beam.send(b"R" + (2026).to_bytes(4, "big") + TERMS.to_bytes(4, "big"))

    for _ in range(TERMS):
        beam.send(to_binary(from_binary(beam.receive())))

    assert beam.receive() == b"0"  # of them were wrong
