"""The HTTP API and the dashboard."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used (PEP 562)."""
    for module, names in _MODULES.items():
        if name in names:
            value = getattr(import_module(f"{__name__}.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
