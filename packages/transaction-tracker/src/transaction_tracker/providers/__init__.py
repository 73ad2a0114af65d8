"""Several RPC endpoints of one chain: asked with care, watched, and used in place of each other."""

from transaction_tracker.providers.endpoint import PROVIDERS
from transaction_tracker.providers.events import EVENTS
from transaction_tracker.providers.heads import Rhythm
from transaction_tracker.providers.hints import HeadHint
from transaction_tracker.providers.pool import Pool
from transaction_tracker.providers.settings import ProviderSettings
from transaction_tracker.providers.status import ProviderState, ProviderStatus

__all__ = [
    "EVENTS",
    "PROVIDERS",
    "HeadHint",
    "Pool",
    "ProviderSettings",
    "ProviderState",
    "ProviderStatus",
    "Rhythm",
]
