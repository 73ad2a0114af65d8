"""The tables made of the samples. Pure."""

from collections.abc import Iterable, Iterator

from benchmarks.formats import filled, size_text, table, three_digits, time_text
from benchmarks.tracker.rows import TARGETS, Show
from benchmarks.tracker.samples import Samples

SIZES = {"bytes", "resident", "peak"}
COUNTS = {"requests", "calls", "told", "rate", "repeated", "lag", "worst", "late"}


def targets(samples: Samples) -> str:
    """Set the table of what there are targets for."""
    rows = [one.cells(samples, why_not(samples, one.scene)) for one in TARGETS]
    return table(["", "target", "measured", ""], rows)


def misses(samples: Samples) -> str:
    """List by how much each target is missed, and why."""
    lines = [filled(f"- {text}") for one in TARGETS if (text := one.miss(samples))]
    return "\n".join(lines) or "No target is missed."


def requests(samples: Samples) -> str:
    """Set the table of requests per block."""
    sizes = _variants(samples, "following")
    head = ["requests per block, tracked", *(f"{int(size):,}" for size in sizes)]
    lines = (
        ("following the head", "following.{}.requests", three_digits),
        ("… JSON-RPC calls in them", "following.{}.calls", three_digits),
        ("… told of heads by newHeads, too", "following.{}.told", three_digits),
        ("polling each, a hundred in a request", "polling.{}.requests", three_digits),
        ("… calls: requests without batches", "polling.{}.calls", three_digits),
        ("… time to ask about all", "polling.{}.round", time_text),
    )
    return _table(samples, head, lines, sizes)


def fast(samples: Samples) -> str:
    """Set the table of fast chains, at a node that is 100 ms away."""
    lines = (
        ("catching up, blocks per second", "catching_up.rate", three_digits),
        ("catching up, requests per block", "catching_up.requests", three_digits),
        *(
            (f"blocks of 0.25 s, {how}: {what}", f"fast.{name}.{figure}", three_digits)
            for name, how in (("usual", "asking each second"), ("eager", "asking 4 times a block"))
            for what, figure in (
                ("requests per block", "requests"),
                ("JSON-RPC calls per block", "calls"),
                ("blocks behind the head", "lag"),
                ("… at most", "worst"),
            )
        ),
    )
    if not samples.of("catching_up.rate"):
        return ""
    return table(
        ["", "measured"], [[title, _cell(samples, name, show)] for title, name, show in lines]
    )


def detection(samples: Samples) -> str:
    """Set the table of detection times."""
    shares = ("p50", "p95", "p99")
    rows = [
        [f"{kind} node, {how}: {title}", *_medians(samples, figure, shares)]
        for kind in ("anvil", "development")
        for how in ("asking", "newHeads")
        for title, name in (
            ("head seen to state stored", "detected"),
            ("block announced to state stored", "announced"),
            ("of which the node takes to answer", "node"),
        )
        if samples.of(f"{(figure := f'detection.{kind}.{how}.{name}')}.p50")
    ]
    return table(["", *shares], rows) if rows else ""


def boot(samples: Samples) -> str:
    """Set the table of starts on open transactions."""
    names = _variants(samples, "boot")
    head = ["open transactions", *(_sized(name) for name in names)]
    lines = (
        ("until all trackers run", "boot.{}.running", time_text),
        ("until the first block is applied, too", "boot.{}.applied", time_text),
        ("processor time of that", "boot.{}.processor", time_text),
        ("memory per transaction, with its process", "boot.{}.bytes", size_text),
        ("memory of the whole program", "boot.{}.resident", size_text),
        ("… at its highest", "boot.{}.peak", size_text),
        ("the slowest of the blocks that it then follows", "boot.{}.block", time_text),
        ("a full collection of garbage", "boot.{}.collection", time_text),
        ("until all have stopped", "boot.{}.stop", time_text),
    )
    return _table(samples, head, lines, names)


def registration(samples: Samples) -> str:
    """Set the table of registrations over HTTP."""
    names = _variants(samples, "registration")
    lines = (
        ("all in one request, until it is answered", "registration.{}.request", time_text),
        ("… until the node was asked about each, too", "registration.{}.known", time_text),
        ("one in a request", "registration.{}.alone", time_text),
    )
    return _table(samples, ["", *names], lines, names)


def blocks(samples: Samples) -> str:
    """Set the table of blocks full of tracked transactions."""
    names = _variants(samples, "applying")
    head = ["tracked transactions in a block", *(_sized(name) for name in names)]
    lines = (
        ("block fetched to all of it stored", "applying.{}.apply", time_text),
        ("… of which the node takes for the receipts", "applying.{}.node", time_text),
        ("… the longest time that it blocks the event loop", "applying.{}.blocked", time_text),
        ("processor time, from the head to all of it stored", "applying.{}.processor", time_text),
        ("the store alone: one database transaction", "writing.{}.commit", time_text),
    )
    return _table(samples, head, lines, names)


def webhooks(samples: Samples) -> str:
    """Set the table of deliveries."""
    names = _variants(samples, "webhooks")
    head = ["receivers", *(_sized(name) for name in names)]
    lines = (
        ("deliveries per second, all together", "webhooks.{}.rate", three_digits),
        ("requests beyond one for each", "webhooks.{}.repeated", three_digits),
    )
    return _table(samples, head, lines, names)


def isolation(samples: Samples) -> str:
    """Set the table of deliveries to one receiver while others never answer."""
    names = _variants(samples, "hanging")
    head = ["receivers that never answer", *(f"{int(name):,}" for name in names)]
    lines = (
        ("block mined to message arrived, p50", "hanging.{}.p50", time_text),
        ("… p95", "hanging.{}.p95", time_text),
        ("… p99", "hanging.{}.p99", time_text),
        ("events that had not arrived 30 s after the last block", "hanging.{}.late", three_digits),
    )
    return _table(samples, head, lines, names)


SECTIONS = {
    "requests": ("Requests", requests),
    "fast": ("Fast chains", fast),
    "detection": ("Detection", detection),
    "boot": ("Start, memory, stop", boot),
    "registration": ("Registration over HTTP", registration),
    "blocks": ("Blocks", blocks),
    "webhooks": ("Webhooks", webhooks),
    "hanging": ("Webhooks while receivers hang", isolation),
}


def details(samples: Samples) -> str:
    """Set all tables, or why there is none."""
    parts = [
        f"## {title}\n\n{section(samples) or why_not(samples, scene)}"
        for scene, (title, section) in SECTIONS.items()
    ]
    return "\n\n".join(parts)


def spread(samples: Samples) -> str:
    """Set the table of the samples behind the medians."""
    rows = [
        [figure, str(len(found)), *(value_text(figure, value) for value in extremes)]
        for figure in samples.figures()
        if (found := samples.of(figure))
        for extremes in [(found[0], samples.median(figure) or 0.0, found[-1])]
    ]
    return table(["figure", "samples", "lowest", "median", "highest"], rows)


def value_text(figure: str, value: float) -> str:
    """Show a value in what its figure is measured in."""
    name = figure.rpartition(".")[2]
    if name in SIZES:
        return size_text(value)
    return three_digits(value) if name in COUNTS else time_text(value)


def why_not(samples: Samples, scene: str) -> str:
    """Return why a figure is missing."""
    if scene in samples.failures:
        return f"failed: {samples.failures[scene]}"
    return samples.absent.get(scene, "not measured")


def _table(
    samples: Samples,
    head: list[str],
    lines: Iterable[tuple[str, str, Show]],
    names: list[str],
) -> str:
    rows = [
        [title, *(_cell(samples, figure.format(name), show) for name in names)]
        for title, figure, show in lines
    ]
    shown = [row for row in rows if any(row[1:])]
    return table(head, shown) if shown else ""


def _cell(samples: Samples, figure: str, show: Show) -> str:
    median = samples.median(figure)
    return "" if median is None else show(median)


def _medians(samples: Samples, figure: str, shares: Iterable[str]) -> Iterator[str]:
    for share in shares:
        yield _cell(samples, f"{figure}.{share}", time_text)


def _variants(samples: Samples, label: str) -> list[str]:
    """List what stands between a label and the names of its figures."""
    found = [figure.split(".", 1)[1] for figure in samples.figures() if _of(figure, label)]
    return list(dict.fromkeys(one.rpartition(".")[0] for one in found))


def _of(figure: str, label: str) -> bool:
    return figure.split(".", 1)[0] == label


def _sized(name: str) -> str:
    kind, _, size = name.partition(".")
    return f"{int(size):,}, {kind}"
