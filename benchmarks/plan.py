"""What is measured, at which size, and what we hold ourselves to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

Variant = Literal["no hooks", "nothing attached", "another event", "every event"]
Library = Literal["casty", "triotp", "otpylib", "fauxtp", "thespian", "pykka"]
Minimum = Literal["minimum in Python", "minimum in C"]
Column = (
    Literal["BEAM", "asyncio", "beamish", "standard", "native", "newest"]
    | Minimum
    | Variant
    | Library
)
COLUMNS: tuple[Column, ...] = ("BEAM", "asyncio", "beamish", "standard", "native", "newest")
TYPED: tuple[Column, ...] = ("BEAM", "asyncio", "beamish")
STANDARD: tuple[Column, ...] = ("BEAM", "standard")
# The standard interface also with the native core, and on the newest CPython that is installed.
STANDARD_EVERYWHERE: tuple[Column, ...] = (*STANDARD, "native", "newest")
# What the targets of the standard interface are set beside.
TARGETED: tuple[Column, ...] = ("BEAM", "standard", "native", "minimum in Python", "minimum in C")
VARIANTS: tuple[Variant, ...] = ("no hooks", "nothing attached", "another event", "every event")
SCALES = (1_000, 10_000, 100_000, 1_000_000)
REPEATS = 5
VARIANT_REPEATS = 15  # a few per cent are to be seen


@dataclass(frozen=True, slots=True)
class Workload:
    """One measured program run: it gives one figure or several, in a process of its own.

    Args:
        label: Names its figures: ``"start"`` gives ``"start.time"`` and ``"start.bytes"``.
        servers: How many servers are started.
        operations: How many operations a measured pass has.
        columns: The implementations it is for; all if it is not given.
        name: What the implementations call it, when several sizes share the code.
        only: The one program it is for, where a column has several.
    """

    label: str
    servers: int
    operations: int = 0
    repeats: int = REPEATS
    columns: tuple[Column, ...] = COLUMNS
    name: str = ""
    only: str = ""

    @property
    def arguments(self) -> list[str]:
        """Return the arguments of the implementation's program."""
        return [self.name or self.label, str(self.servers), str(self.operations)]

    def small(self) -> "Workload":
        """Return a workload that is just large enough to show that it runs."""
        servers, operations = min(self.servers, 200), min(self.operations, 200)
        return replace(self, servers=servers, operations=operations, repeats=1)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the comparison: the figure, what stands for it elsewhere, the targets.

    Args:
        figure: The figure of every column that has none of its own.
        beam: The BEAM's figure, if it is another.
        by_hand: The figure of asyncio by hand, if it is another.
        at_most_beam: The highest ratio to the BEAM that we allow ourselves.
        at_most_by_hand: The same for asyncio by hand.
        at_most_native: The same as ``at_most_beam``, with the native core.
        why: What keeps the row from its targets; shown where one is missed. It can name the
            figures of `report.facts`.
    """

    title: str
    figure: str
    beam: str = ""
    by_hand: str = ""
    at_most_beam: float | None = None
    at_most_by_hand: float | None = None
    at_most_native: float | None = None
    why: str = ""

    @property
    def cpu(self) -> "Row | None":
        """The same row in processor time; ``None`` for a size."""
        if not self.figure.endswith(".time"):
            return None
        figure, beam = (
            name.removesuffix(".time") + ".cpu" if name else "" for name in (self.figure, self.beam)
        )
        return replace(self, figure=figure, beam=beam)

    def source(self, column: Column) -> str:
        """Name the figure that ``column`` shows."""
        own = {"BEAM": self.beam, "asyncio": self.by_hand}.get(column)
        return own or self.figure


WORKLOADS = (
    Workload("start", servers=50_000),
    Workload("call_one", servers=1, operations=50_000, name="call"),
    Workload("call_one_timeout", 1, 50_000, columns=("asyncio",), name="call_within"),
    Workload("call_round_robin", servers=10_000, operations=50_000, name="call"),
    Workload("call_round_robin_timeout", 10_000, 50_000, columns=("asyncio",), name="call_within"),
    Workload("clients", servers=10_000, operations=50_000),
    Workload("clients_timeout", 10_000, 50_000, columns=("asyncio",), name="clients_within"),
    Workload("cast_one", servers=1, operations=100_000),
    Workload("cast_spread", servers=10_000, operations=100_000),
    Workload("cast_each", servers=10_000, operations=100_000),
    Workload("call_named", servers=1, operations=50_000, columns=STANDARD_EVERYWHERE),
    Workload("call_via", servers=10_000, operations=50_000, columns=STANDARD_EVERYWHERE),
    Workload("lookup", servers=10_000, operations=100_000),
    Workload("lookup_tuples", servers=10_000, operations=100_000, columns=STANDARD_EVERYWHERE),
    Workload("start_tuples", servers=50_000, columns=STANDARD_EVERYWHERE),
    Workload("crash", servers=10_000, operations=5_000),
    Workload("crash_partitioned", servers=10_000, operations=5_000, columns=("BEAM",)),
    Workload("stalls", servers=100_000, operations=10_000, columns=("beamish",)),
    Workload("stop", servers=100_000, columns=("asyncio", "beamish")),
    # Takes half a minute: Elixir's DynamicSupervisor searches its whole mailbox for each child.
    Workload(
        "stop_one_supervisor",
        servers=100_000,
        repeats=1,
        columns=("BEAM",),
        name="stop",
        only="BEAM +S 1",
    ),
    Workload("stop_partitioned", servers=100_000, columns=("BEAM",)),
)

ROWS = (
    Row("start, per server", "start.time", at_most_beam=0.5, at_most_by_hand=0.3),
    Row("memory, per server", "start.bytes", at_most_beam=0.3, at_most_by_hand=0.25),
    Row("call, one server", "call_one.time", at_most_beam=0.6, at_most_by_hand=0.12),
    Row("… with a time limit by hand", "call_one.time", by_hand="call_one_timeout.time"),
    Row(
        "call, round robin over 10,000",
        "call_round_robin.time",
        at_most_beam=0.4,
        at_most_by_hand=0.12,
    ),
    Row(
        "… with a time limit by hand",
        "call_round_robin.time",
        by_hand="call_round_robin_timeout.time",
    ),
    Row(
        "call, 100 clients over 10,000",
        "clients.time",
        at_most_beam=0.4,
        at_most_by_hand=0.12,
    ),
    Row("… with a time limit by hand", "clients.time", by_hand="clients_timeout.time"),
    Row("cast, one server", "cast_one.time", at_most_beam=2.5, at_most_by_hand=0.5),
    Row("cast, spread over 10,000", "cast_spread.time", at_most_beam=0.5, at_most_by_hand=0.5),
    Row("cast, one to each of 10,000", "cast_each.time"),
    Row("look up by id, 10,000", "lookup.time", at_most_beam=0.6, at_most_by_hand=0.3),
    Row(
        "crash to found again (BEAM: 64 partitions)",
        "crash.time",
        beam="crash_partitioned.time",
        at_most_beam=1.0,
        at_most_by_hand=0.8,
    ),
    Row("… (BEAM: one supervisor)", "crash.time"),
    Row("stop 100,000 children (BEAM: 64 partitions)", "stop.time", beam="stop_partitioned.time"),
    Row("… (BEAM: one supervisor)", "stop.time", beam="stop_one_supervisor.time"),
)

STANDARD_ROWS = (
    Row(
        "start, per server, tuple keys",
        "start_tuples.time",
        at_most_beam=0.8,
        at_most_native=0.6,
        why=(
            "A start has no step that is long enough for the core: in both modes it calls "
            "{start_calls} Python functions, of which as many empty ones take {empty_start}, and "
            "allocates {tracked} objects that the garbage collector goes through."
        ),
    ),
    Row("start, per server, string keys", "start.time"),
    Row(
        "memory, per server",
        "start.bytes",
        at_most_beam=0.2,
        at_most_native=0.2,
        why=(
            "The server's object, its id and its place in one dict take {minimum_bytes} without a "
            "library. The rest is the process with its links, name and mailbox, the pid, the "
            "child specification, and five dicts that it is in. "
            "Each object has a header of 32 bytes with that of the garbage collector, and the core "
            "has no types of its own, so it saves none of them. Without the id, CPython allocates "
            "{allocated_bytes} a server (800 B wanted), in {tracked} objects of the garbage "
            "collector (5 wanted): the server, its process, pid, specification and name."
        ),
    ),
    Row(
        "call, one server",
        "call_one.time",
        at_most_beam=0.9,
        at_most_native=0.5,
        why=(
            "The rest is the copy of the caller's context, the `From`, and the checks that the "
            "server is idle and the event loop has time."
        ),
    ),
    Row("… by local name", "call_named.time"),
    Row(
        "call, round robin over 10,000",
        "call_round_robin.time",
        at_most_beam=0.7,
        at_most_native=0.4,
        why="As for one server; in addition, each server is read from memory.",
    ),
    Row("… by via name", "call_via.time"),
    Row(
        "call, 100 clients over 10,000",
        "clients.time",
        at_most_beam=0.9,
        at_most_native=0.5,
        why="As for one server; in addition, asyncio switches between the tasks of the clients.",
    ),
    Row(
        "cast, one server",
        "cast_one.time",
        at_most_beam=2.5,
        at_most_native=1.0,
        why=(
            "The BEAM copies a word into a mailbox and compares it in compiled code. In Python "
            "the loop that sends and the callback alone take {minimum_in_c_cast}, "
            "{minimum_in_c_cast_of_beam} of the BEAM's whole cast."
        ),
    ),
    Row(
        "cast, spread over 10,000",
        "cast_spread.time",
        at_most_beam=1.0,
        at_most_native=0.6,
        why="Each server makes a mailbox and a context for the ten casts that it gets.",
    ),
    Row("cast, one to each of 10,000", "cast_each.time"),
    Row(
        "look up, string keys",
        "lookup.time",
        at_most_beam=1.5,
        at_most_native=0.8,
        why=(
            "The function of the program that looks up, and the dict that it finds the id in, "
            "take {minimum_in_c_lookup} of the BEAM's whole look-up; a function more and the list "
            "with its pair, as the contract has it, take {minimum_in_python_lookup}."
        ),
    ),
    Row(
        "look up, tuple keys",
        "lookup_tuples.time",
        at_most_beam=2.0,
        at_most_native=1.0,
        why=(
            "As for string keys; in addition, CPython hashes a tuple at each look-up, and compares "
            "it with the one in the dict item by item."
        ),
    ),
    Row(
        "crash to found again (BEAM: 64 partitions)",
        "crash.time",
        beam="crash_partitioned.time",
        at_most_beam=0.5,
        at_most_native=0.4,
        why=(
            "A crash is the death of a server and the start of its successor, in Python in both "
            "modes: {crash_calls} Python function calls, of which as many empty ones take "
            "{empty_crash} ({empty_crash_of_beam} of the BEAM's whole crash)."
        ),
    ),
)

# What `STANDARD_ROWS` with a target are made of, once more beside the minimum that a program does.
TARGET_LABELS: Mapping[str, tuple[Column, ...]] = {
    "start": TARGETED[:4],
    "start_tuples": TARGETED[:3],
    "call_one": TARGETED[:4],
    "call_round_robin": TARGETED[:4],
    "clients": TARGETED[:4],
    "cast_one": TARGETED,
    "cast_spread": TARGETED[:4],
    "lookup": TARGETED,
    "lookup_tuples": TARGETED,
    "crash": ("standard", "native"),
    "crash_partitioned": ("BEAM",),
}
TARGET_WORKLOADS = (
    *(
        replace(workload, columns=TARGET_LABELS[workload.label])
        for workload in WORKLOADS
        if workload.label in TARGET_LABELS
    ),
    Workload("counted", servers=1_000, columns=("standard",)),
    Workload("allocated", servers=20_000, columns=("standard",)),
)

VARIANT_WORKLOADS = tuple(
    Workload(label, servers, operations, VARIANT_REPEATS, VARIANTS, name)
    for label, servers, operations, name in (
        ("call_one", 1, 50_000, "call"),
        ("call_round_robin", 10_000, 50_000, "call"),
        ("cast_one", 1, 100_000, ""),
        ("cast_spread", 10_000, 100_000, ""),
        ("start", 20_000, 0, ""),
    )
)

VARIANT_ROWS = (
    Row("call, one server", "call_one.time"),
    Row("call, round robin over 10,000", "call_round_robin.time"),
    Row("cast, one server", "cast_one.time"),
    Row("cast, spread over 10,000", "cast_spread.time"),
    Row("start, per server", "start.time"),
)

IDLE_AT_MOST = 1.05  # what hooks may cost while nothing is attached


def scale(servers: int, repeats: int) -> Workload:
    """Measure everything that must stay flat at one size."""
    operations = max(servers, 100_000)
    return Workload(f"scale_{servers}", servers, operations, repeats, ("beamish",), name="scale")


def workloads(*, quick: bool) -> Iterator[Workload]:
    """List what one run measures."""
    if quick:
        yield from (workload.small() for workload in WORKLOADS)
        yield scale(SCALES[0], repeats=1)
        return
    yield from WORKLOADS
    yield from (scale(servers, repeats=3) for servers in SCALES)


def target_workloads(*, quick: bool) -> Iterator[Workload]:
    """List what is measured beside the minimum that a program does."""
    yield from (workload.small() if quick else workload for workload in TARGET_WORKLOADS)


def variant_workloads(*, quick: bool) -> Iterator[Workload]:
    """List what is measured of each variant of beamish."""
    yield from (workload.small() if quick else workload for workload in VARIANT_WORKLOADS)
