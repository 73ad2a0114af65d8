"""beamish with more and more of telemetry."""

from benchmarks import unhooked
from benchmarks.plan import Variant

NOBODY_EMITS = ("benchmarks", "nobody", "emits")


def prepare(variant: Variant) -> None:
    """Make beamish in this process the ``variant``; before it is imported."""
    if variant == "no hooks":
        unhooked.install()
    elif variant == "another event":
        attach([NOBODY_EMITS])
    elif variant == "every event":
        attach(None)


def attach(events: list[tuple[str, ...]] | None) -> None:
    """Attach a handler that does nothing to ``events``, or to all there are."""
    from beamish import telemetry  # not before this variant is known

    telemetry.attach_many("benchmarks", events or telemetry.EVENTS, ignore)


def ignore(*_: object) -> None:
    """Take an event, and do nothing."""
