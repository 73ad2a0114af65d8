"""The demonstration: a chain, a few hundred payments of every kind, and what goes wrong."""

from transaction_tracker.demo.kinds import FEWEST
from transaction_tracker.demo.play import play
from transaction_tracker.demo.stage import FAST, SLOW, DemoError, Tempo

__all__ = ["FAST", "FEWEST", "SLOW", "DemoError", "Tempo", "play"]
