"""The routes of the API, one module per resource."""

from transaction_tracker.api.routes import (
    addresses,
    alerts,
    deliveries,
    endpoint_deliveries,
    endpoints,
    events,
    health,
    history,
    listing,
    providers,
    service,
    sources,
    tokens,
    transactions,
)

ROUTERS = (
    transactions.router,
    listing.router,
    addresses.router,
    events.router,
    endpoints.router,
    endpoint_deliveries.router,
    deliveries.router,
    alerts.router,
    providers.router,
    sources.router,
    tokens.router,
    health.router,
    service.router,
    history.router,
)

# Paths whose responses contain secrets and must not be stored for idempotency keys.
SECRET_ANSWERS = frozenset(("/v1/tokens",))
