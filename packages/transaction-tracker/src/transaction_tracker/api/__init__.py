"""The HTTP API and the dashboard."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from transaction_tracker.lazy import importer

if TYPE_CHECKING:
    from transaction_tracker.api.app import create_app
    from transaction_tracker.api.options import WebOptions, WebSection
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
    "WebSection",
    "create_app",
]

# The modules of the public names, as in the imports above. The configuration needs only the
# options: importing the rest here would load FastAPI for every command that reads it.
_MODULES = {
    "app": ("create_app",),
    "options": ("WebOptions", "WebSection"),
    "service": ("Following", "ProviderControl", "Service"),
    "signals": ("EventSignals",),
    "web": ("WEB", "Web"),
}

__getattr__: Callable[[str], Any] = importer(__name__, _MODULES)
