"""The page with the results. Pure."""

from pathlib import Path

from benchmarks.cluster.figures import CALLERS, FEW, Figures
from benchmarks.machine import Machine

_TEMPLATE = Path(__file__).parent / "page.md"


def page(machine: Machine, ray: str, load: float, figures: Figures) -> str:
    """Return the text of the page."""
    sizes = figures.sizes
    few, taken = figures.take_over
    alone, one, many = figures.look_up
    return _TEMPLATE.read_text(encoding="utf-8").format(
        date=machine.date,
        cpu=machine.cpu,
        cores=machine.cores,
        system=machine.system,
        python=machine.python,
        ray=ray,
        load=load,
        names=sizes.names,
        shards=sizes.shards,
        callers=CALLERS,
        start_one=micro(figures.start[0]),
        start=micro(figures.start[1]),
        start_ratio=ratio(figures.start[1] / figures.start[0]),
        look_one=micro(alone),
        look=micro(one),
        look_many=micro(many),
        look_ratio=ratio(one / alone),
        look_many_ratio=ratio(many / alone),
        few=FEW,
        few_seconds=few,
        taken=figures.taken_over,
        taken_seconds=taken,
        taken_ratio=ratio(taken / few),
    )


def micro(seconds: float) -> str:
    """Show a time in microseconds, with two significant digits at least."""
    value = seconds * 1e6
    return f"{value:,.0f} µs" if value >= 10 else f"{value:.2g} µs"


def ratio(value: float) -> str:
    """Show a ratio."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"
