"""Declare each option once: its type, unit, range, default and description."""

from transaction_tracker.options.section import Section, number, option

__all__ = ["Section", "number", "option"]
