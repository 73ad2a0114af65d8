"""The demonstration: a chain, a few hundred payments of every kind, and what goes wrong."""

from txtrack_devnode.demo.kinds import FEWEST
from txtrack_devnode.demo.play import play
from txtrack_devnode.demo.stage import FAST, SLOW, DemoError, Tempo

__all__ = ["FAST", "FEWEST", "SLOW", "DemoError", "Tempo", "play"]
