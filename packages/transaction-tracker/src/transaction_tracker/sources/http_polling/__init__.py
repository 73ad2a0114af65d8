"""Any service that says over HTTP what has become of a transaction.

```python
bank = HttpPollingSource(
    "https://bank.example/v1/transfers/{id}",
    name="bank",
    status="transfer.status",
    words={"received": "pending", "settled": "confirmed", "returned": "reversed"},
    headers={"Authorization": f"Bearer {key}"},
    habits=Habits(watch_days=60),
)
```

Where the service can call you when something happens, let your handler of its call say
``Poller.report(transaction_id)``: the call is a hint, and the look-up that follows is the fact.
"""

from transaction_tracker.sources.http_polling.options import Batch, Feed, Limits
from transaction_tracker.sources.http_polling.secret import SecretText
from transaction_tracker.sources.http_polling.source import HttpPollingSource
from transaction_tracker.sources.polled import Habits

__all__ = ["Batch", "Feed", "Habits", "HttpPollingSource", "Limits", "SecretText"]
