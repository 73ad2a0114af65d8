"""The HTTP API and the dashboard."""

from transaction_tracker.api.app import create_app
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.service import Following, ProviderControl, Service
from transaction_tracker.api.signals import EventSignals
from transaction_tracker.api.web import WEB, Web

__all__ = [
    "WEB",
    "EventSignals",
    "Following",
    "ProviderControl",
    "Service",
    "Web",
    "WebOptions",
    "create_app",
]
