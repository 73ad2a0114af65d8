"""The tables and the page made of the measurements. Pure."""

from collections.abc import Callable, Iterator, Mapping

from benchmarks.formats import filled, size_text, table, time_text, value_text
from benchmarks.machine import Machine
from benchmarks.measurements import Measurements
from benchmarks.plan import (
    IDLE_AT_MOST,
    ROWS,
    SCALES,
    STANDARD,
    STANDARD_ROWS,
    TYPED,
    VARIANT_ROWS,
    VARIANTS,
    Column,
    Row,
    Variant,
)

# What the last size of the scaling table is held to.
MILLION_SECONDS = 15.0
MILLION_BYTES = 1.2e9

COUNTS = ("starts", "crashes", "tracked")  # figures that are neither times nor sizes

SCALED: Mapping[str, str] = {
    "start, per server": "time",
    "memory, per server": "bytes",
    "call, in turn": "call",
    "cast, one to each": "cast",
    "look up by id": "lookup",
    "crash to found again": "crash",
    "start of all": "total",
    "memory of the whole program": "rss",
    "a full collection of garbage": "collection",
    "… after `freeze_heap()`": "frozen",
}


def comparison(measurements: Measurements, missing: Mapping[Column, str]) -> str:
    """Set the table of the three side by side; ``missing`` says why a column has no figures."""
    head = ["", "BEAM", "asyncio by hand", "beamish", "beamish / BEAM", "beamish / asyncio"]
    return table(head, [compared(measurements, row, missing) for row in ROWS])


def compared(measurements: Measurements, row: Row, missing: Mapping[Column, str]) -> list[str]:
    """Set one line of the comparison."""
    cells = [value_cell(measurements, row, column, missing) for column in TYPED]
    return [
        row.title,
        *cells,
        ratio_cell(measurements.ratio(row, "BEAM"), row.at_most_beam),
        ratio_cell(measurements.ratio(row, "asyncio"), row.at_most_by_hand),
    ]


def standard(measurements: Measurements, missing: Mapping[Column, str]) -> str:
    """Set the table of the standard interface beside the BEAM, also with the native core."""
    head = [
        "standard interface",
        "BEAM",
        "beamish",
        "native core",
        "beamish / BEAM",
        "native / BEAM",
        "beamish / BEAM in processor time",
        "beamish / native",
        "newest CPython / 3.11",
    ]
    return table(head, [compared_standard(measurements, row, missing) for row in STANDARD_ROWS])


def compared_standard(
    measurements: Measurements, row: Row, missing: Mapping[Column, str]
) -> list[str]:
    """Set one line of it."""
    cells = [value_cell(measurements, row, column, missing) for column in (*STANDARD, "native")]
    ratio = measurements.ratio(row, "BEAM", of="standard")
    native = measurements.ratio(row, "BEAM", of="native")
    newest = measurements.ratio(row, "standard", of="newest")
    in_cpu = None if row.cpu is None else measurements.ratio(row.cpu, "BEAM", of="standard")
    return [
        row.title,
        *cells,
        ratio_cell(ratio, row.at_most_beam),
        ratio_cell(native, row.at_most_native),
        ratio_cell(in_cpu, None),
        ratio_cell(measurements.ratio(row, "native", of="standard"), None),
        ratio_cell(newest, None),
    ]


def value_cell(
    measurements: Measurements, row: Row, column: Column, missing: Mapping[Column, str]
) -> str:
    """Show a median, or why there is none."""
    value = measurements.value(row, column)
    if value is None:
        return missing.get(column, "failed")
    return value_text(row.figure, value)


def ratio_cell(ratio: float | None, at_most: float | None) -> str:
    """Show a ratio, its target and what became of it."""
    if ratio is None:
        return ""
    shown = f"{ratio:.3f}" if ratio < 0.1 else f"{ratio:.2f}"
    return shown if at_most is None else f"{shown} {verdict(ratio, at_most, f'{at_most:g}')}"


def verdict(value: float, at_most: float, shown: str) -> str:
    """Return the text about a target: met or missed."""
    return f"(≤ {shown}: met)" if value <= at_most else f"(≤ {shown}: **missed**)"


def scaling(measurements: Measurements) -> str:
    """Set the table of beamish at growing numbers of servers."""
    sizes = [size for size in SCALES if measurements.median("beamish", f"scale_{size}.time")]
    head = ["beamish, servers", *(f"{size:,}" for size in sizes)]
    rows = [[title, *scaled(measurements, sizes, name)] for title, name in SCALED.items()]
    return table(head, rows) if sizes else ""


def scaled(measurements: Measurements, sizes: list[int], name: str) -> Iterator[str]:
    """Yield one figure at every size."""
    for size in sizes:
        value = measurements.median("beamish", f"scale_{size}.{name}")
        yield "" if value is None else value_text(f"scale_{size}.{name}", value)


def million(measurements: Measurements) -> str:
    """Return the text about the largest size and its targets."""
    time = measurements.median("beamish", f"scale_{SCALES[-1]}.total")
    size = measurements.median("beamish", f"scale_{SCALES[-1]}.rss")
    if time is None or size is None:
        return ""
    in_time = verdict(time, MILLION_SECONDS, time_text(MILLION_SECONDS))
    in_size = verdict(size, MILLION_BYTES, size_text(MILLION_BYTES))
    return (
        f"{SCALES[-1]:,} supervised, registered servers: {time_text(time)} {in_time}, "
        f"{size_text(size)} {in_size}."
    )


def stalls(measurements: Measurements) -> str:
    """Return the text about how long the event loop is blocked at most."""
    start = measurements.median("beamish", "stalls.start")
    crash = measurements.median("beamish", "stalls.crash")
    if start is None or crash is None:
        return ""
    return (
        f"The event loop is blocked for at most {time_text(start)} while 100,000 servers start one "
        f"after another, and for at most {time_text(crash)} while 10,000 of them crash at once and "
        "are restarted."
    )


def targets(measurements: Measurements) -> str:
    """Set the table of the rows with targets beside the minimum that a program does."""
    head = [
        "standard interface",
        "BEAM",
        "minimum in Python",
        "beamish",
        "minimum in C",
        "native core",
        "minimum in Python / BEAM",
        "beamish / BEAM",
        "minimum in C / BEAM",
        "native / BEAM",
    ]
    return table(head, [targeted(measurements, row) for row in in_processor_time()])


def in_processor_time() -> list[Row]:
    """Return the rows of the standard interface with targets, in processor time."""
    return [row.cpu or row for row in STANDARD_ROWS if row.at_most_beam]


def limits_of(row: Row) -> Mapping[Column, float | None]:
    """Return the highest ratio to the BEAM of each column."""
    return {"standard": row.at_most_beam, "native": row.at_most_native}


def targeted(measurements: Measurements, row: Row) -> list[str]:
    """Set one line of it; not every workload has a minimum."""
    shown: tuple[Column, ...] = ("BEAM", "minimum in Python", "standard", "minimum in C", "native")
    none: Mapping[Column, str] = {"minimum in Python": "", "minimum in C": ""}
    limits = limits_of(row)
    cells = [value_cell(measurements, row, column, none) for column in shown]
    ratios = [
        ratio_cell(measurements.ratio(row, "BEAM", of=column), limits.get(column))
        for column in shown[1:]
    ]
    return [row.title, *cells, *ratios]


def misses(measurements: Measurements) -> str:
    """Return by how much each target is missed, and why, as a list."""
    known = facts(measurements)
    missed = [
        (row, found) for row in in_processor_time() if (found := list(excesses(measurements, row)))
    ]
    lines = [
        f"- **{row.title}**: {'; '.join(found)}. {row.why.format(**known)}".strip()
        for row, found in missed
    ]
    return "\n".join(filled(line) for line in lines) or "No target of this table is missed."


def excesses(measurements: Measurements, row: Row) -> Iterator[str]:
    """Yield by how much a row misses its targets."""
    for column, at_most in limits_of(row).items():
        ratio = measurements.ratio(row, "BEAM", of=column)
        if at_most is not None and ratio is not None and ratio > at_most:
            name = "beamish" if column == "standard" else "native core"
            over = f"{ratio / at_most - 1:.0%}"
            yield f"{name} {ratio:.2f}, which is {over} over {at_most:g}"


def facts(measurements: Measurements) -> dict[str, str]:
    """Return the figures that the reasons name; "unknown" for one that was not measured."""
    of = {row.figure: row for row in in_processor_time()}

    def shown(value: float | None, text: Callable[[float], str]) -> str:
        return "unknown" if value is None else text(value)

    def ratio(figure: str, column: Column) -> str:
        return shown(measurements.ratio(of[figure], "BEAM", of=column), "{:.2f}".format)

    starts, crashes, empty = (
        measurements.median("standard", f"counted.{name}")
        for name in ("starts", "crashes", "empty")
    )
    in_starts = None if starts is None or empty is None else starts * empty
    in_crashes = None if crashes is None or empty is None else crashes * empty
    crash = measurements.value(of["crash.cpu"], "BEAM")
    share = None if in_crashes is None or crash is None else in_crashes / crash
    tracked = measurements.median("standard", "allocated.tracked")
    allocated = measurements.median("standard", "allocated.bytes")
    minimum_bytes = measurements.median("minimum in Python", "start.bytes")
    minimum_cast = measurements.median("minimum in C", "cast_one.cpu")
    return {
        "start_calls": shown(starts, "{:.0f}".format),
        "crash_calls": shown(crashes, "{:.0f}".format),
        "empty_start": shown(in_starts, time_text),
        "empty_crash": shown(in_crashes, time_text),
        "empty_crash_of_beam": shown(share, "{:.2f}".format),
        "tracked": shown(tracked, "{:.0f}".format),
        "allocated_bytes": shown(allocated, size_text),
        "minimum_bytes": shown(minimum_bytes, size_text),
        "minimum_in_c_cast": shown(minimum_cast, time_text),
        "minimum_in_c_cast_of_beam": ratio("cast_one.cpu", "minimum in C"),
        "minimum_in_c_lookup": ratio("lookup.cpu", "minimum in C"),
        "minimum_in_python_lookup": ratio("lookup.cpu", "minimum in Python"),
    }


def variants(measurements: Measurements) -> str:
    """Set the table of beamish with more and more of telemetry."""
    first, *others = VARIANTS
    head = ["beamish", *VARIANTS, *(f"{variant} / {first}" for variant in others)]
    return table(head, [varied(measurements, row) for row in VARIANT_ROWS])


def varied(measurements: Measurements, row: Row) -> list[str]:
    """Set one line of it."""
    first, *others = VARIANTS
    targets: Mapping[Variant, float] = {"nothing attached": IDLE_AT_MOST}
    cells = [value_cell(measurements, row, variant, {}) for variant in VARIANTS]
    ratios = [
        ratio_cell(measurements.ratio(row, first, of=variant), targets.get(variant))
        for variant in others
    ]
    return [row.title, *cells, *ratios]


def spread(measurements: Measurements) -> str:
    """Set the table of the samples behind the medians."""
    rows = [
        [figure, runner, str(len(samples)), *extremes(figure, samples)]
        for figure in measurements.figures()
        if figure.rpartition(".")[2] not in COUNTS
        for runner in measurements.columns
        if (samples := measurements.samples(runner, figure))
    ]
    return table(["figure", "program", "runs", "lowest", "median", "highest"], rows)


def extremes(figure: str, samples: list[float]) -> list[str]:
    """Show the lowest, the middle and the highest of sorted samples."""
    middle = (samples[(len(samples) - 1) // 2] + samples[len(samples) // 2]) / 2
    return [value_text(figure, value) for value in (samples[0], middle, samples[-1])]


def summary(measurements: Measurements, missing: Mapping[Column, str]) -> str:
    """Return the summary for the terminal."""
    parts = [
        comparison(measurements, missing),
        standard(measurements, missing),
        scaling(measurements),
        million(measurements),
        stalls(measurements),
    ]
    return "\n\n".join(part for part in parts if part)


def provenance(machine: Machine, *, beam: bool = True) -> str:
    """Return the origin of the figures; ``beam`` is whether some are the BEAM's."""
    measured = [machine.python, machine.beam or "Elixir not installed"]
    if machine.newest:
        measured.append(f"newest CPython {machine.newest}")
    return (
        f"Measured on {machine.date} on {machine.cpu}, {machine.cores} cores, {machine.system}; "
        f"{'; '.join(measured if beam else measured[:1])}."
    )
