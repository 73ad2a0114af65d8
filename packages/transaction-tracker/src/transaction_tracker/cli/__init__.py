"""The command ``txtrack``."""

from transaction_tracker.cli.app import main

__all__ = ["main"]
