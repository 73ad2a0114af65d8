"""The demo: a few hundred payments of every kind on a development chain, with faults."""

from txtrack_devnode.demo.harness import FAST, SLOW, DemoError, Speed
from txtrack_devnode.demo.kinds import MIN_PAYMENTS
from txtrack_devnode.demo.runner import run_demo

__all__ = ["FAST", "MIN_PAYMENTS", "SLOW", "DemoError", "Speed", "run_demo"]
