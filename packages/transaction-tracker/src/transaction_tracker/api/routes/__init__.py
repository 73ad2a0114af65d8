"""The paths of the API, a module for each kind of thing."""

from transaction_tracker.api.routes import (
    deliveries,
    endpoint_deliveries,
    endpoints,
    events,
    health,
    providers,
    tokens,
    transactions,
)

ROUTERS = (
    transactions.router,
    events.router,
    endpoints.router,
    endpoint_deliveries.router,
    deliveries.router,
    providers.router,
    tokens.router,
    health.router,
)

# What is answered there must not be stored for a repeat.
SECRET_ANSWERS = frozenset(("/v1/tokens",))
