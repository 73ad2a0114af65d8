"""Which libraries are measured, what each lacks, and the workloads they run."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from benchmarks.plan import Column, Library, Row, Workload


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a library before it is measured.

    Args:
        python: The oldest CPython that the version of ``requirements.txt`` supports.
        lacks: Why it does not run a workload, by the workload's label.
    """

    python: tuple[int, int] = (3, 11)
    lacks: Mapping[str, str] = field(default_factory=dict)


ABOUT: Mapping[Library, About] = {
    "casty": About(python=(3, 12)),
    "triotp": About(python=(3, 13), lacks={"lookup": "only within a call"}),
    "otpylib": About(lacks={"crash": "restarts another child"}),
    "fauxtp": About(),
    "thespian": About(lacks={"crash": "no supervision"}),
    "pykka": About(lacks={"lookup": "no names", "crash": "no supervision"}),
}
COLUMNS: tuple[Column, ...] = ("beamish", *ABOUT)

# Label, name in the code, servers, operations.
_SIZES = (
    ("start", "", 1_000, 0),
    ("call_one", "call", 1, 1_000),
    ("call_round_robin", "call", 1_000, 1_000),
    ("cast_one", "cast", 1, 10_000),
    ("cast_spread", "cast", 1_000, 10_000),
    ("lookup", "", 1_000, 1_000),
    ("crash", "", 1_000, 1_000),
)
# Each of Thespian's actors is a process of the operating system.
PROCESSES = 20
_OPERATIONS_WITH_PROCESSES = 200

ROWS = (
    Row("start, per server", "start.time"),
    Row("call, one server", "call_one.time"),
    Row("call, round robin over 1,000", "call_round_robin.time"),
    Row("cast, one server", "cast_one.time"),
    Row("cast, spread over 1,000", "cast_spread.time"),
    Row("look up by name, 1,000", "lookup.time"),
    Row("crash to found again", "crash.time"),
)


def lacks(column: Column, label: str) -> str:
    """Return why ``column`` does not run the workload ``label``; empty if it does."""
    return next((about.lacks.get(label, "") for name, about in ABOUT.items() if name == column), "")


def workloads(*, quick: bool) -> Iterator[Workload]:
    """List what one run measures of beamish and of each library."""
    for label, name, servers, operations in _SIZES:
        columns = tuple(column for column in COLUMNS if not lacks(column, label))
        in_process = tuple(column for column in columns if column != "thespian")
        whole = Workload(label, servers, operations, columns=in_process, name=name)
        yield whole.small() if quick else whole
        if "thespian" in columns:
            size = min(servers, PROCESSES), min(operations, _OPERATIONS_WITH_PROCESSES)
            whole = Workload(label, *size, columns=("thespian",), name=name)
            yield whole.small() if quick else whole


def absences(python: tuple[int, int], installed: Collection[Library]) -> dict[Column, str]:
    """Return why each library that cannot be measured on this ``python`` is not."""
    absent: dict[Column, str] = {}
    for library, about in ABOUT.items():
        if python < about.python:
            absent[library] = "needs CPython {}.{}".format(*about.python)
        elif library not in installed:
            absent[library] = "not installed"
    return absent
