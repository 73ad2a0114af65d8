"""A pool of RPC endpoints of one chain: rate limits, health checks and failover."""

from transaction_tracker.providers.endpoint import PROVIDERS
from transaction_tracker.providers.events import EVENTS
from transaction_tracker.providers.hints import HeadHint
from transaction_tracker.providers.pool import Pool
from transaction_tracker.providers.settings import ProviderSettings
from transaction_tracker.providers.status import ProviderState, ProviderStatus
from transaction_tracker.providers.subscription import SubscriptionTimeouts

__all__ = [
    "EVENTS",
    "PROVIDERS",
    "HeadHint",
    "Pool",
    "ProviderSettings",
    "ProviderState",
    "ProviderStatus",
    "SubscriptionTimeouts",
]
