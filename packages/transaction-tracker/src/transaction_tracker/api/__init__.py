"""The HTTP API: what users and their programs touch of the tracker over the network."""

from transaction_tracker.api.app import create_app
from transaction_tracker.api.options import WebOptions
from transaction_tracker.api.service import Following, ProviderControl, Service
from transaction_tracker.api.signals import Feed
from transaction_tracker.api.web import WEB, Web

__all__ = [
    "WEB",
    "Feed",
    "Following",
    "ProviderControl",
    "Service",
    "Web",
    "WebOptions",
    "create_app",
]
