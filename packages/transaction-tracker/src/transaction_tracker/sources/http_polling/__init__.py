"""A source of transactions that is polled over HTTP, such as a bank.

```python
bank = HttpPollingSource(
    "https://bank.example/v1/transfers/{id}",
    name="bank",
    status="transfer.status",
    words={"received": "pending", "settled": "confirmed", "returned": "reversed"},
    headers={"Authorization": f"Bearer {key}"},
    policy=PollingPolicy(watch_for=60 * 86_400),
)
```

If the service can call you when a transaction changes, call ``Poller.report(transaction_id)`` in
your handler. It triggers a look-up; the state comes only from the look-up's response.
"""

from transaction_tracker.sources.http_polling.options import (
    BatchLookUp,
    Feed,
    HttpSection,
    RequestLimits,
)
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.source import HttpPollingSource
from transaction_tracker.sources.polled import PollingPolicy

__all__ = [
    "BatchLookUp",
    "Feed",
    "HttpPollingSource",
    "HttpSection",
    "PollingPolicy",
    "RequestLimits",
    "SecretText",
]
