"""The configuration: a TOML file, environment variables and flags, checked together."""

from transaction_tracker.settings.client import ClientSection
from transaction_tracker.settings.layers import CLIENT_VARIABLES, DEFAULT_FILE, FILE_VARIABLE, Flags
from transaction_tracker.settings.load import load
from transaction_tracker.settings.logs import LogsSection
from transaction_tracker.settings.model import Configuration
from transaction_tracker.settings.problems import ConfigurationError, Problem

__all__ = [
    "CLIENT_VARIABLES",
    "DEFAULT_FILE",
    "FILE_VARIABLE",
    "ClientSection",
    "Configuration",
    "ConfigurationError",
    "Flags",
    "LogsSection",
    "Problem",
    "load",
]
