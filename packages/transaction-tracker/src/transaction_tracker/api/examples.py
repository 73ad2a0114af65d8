"""Examples of request bodies for the API's description."""

from typing import Any

_HASH = "0x5c504ed432cb51138bcf09aa5e8a410dd4a1e204ef84bfed1be16dfba1b22060"
_SENDER = "0x1aa0d478f689975db407308422ef36fac23ed5d4"
_RECEIVER = "0xefd1c4e33c15e84d505ec1e915cbb933ba4fc30b"
_URL = "https://shop.example/hooks/payments"
_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - the one of the specification

# By operation: the name of each example and its body.
REQUESTS: dict[str, dict[str, Any]] = {
    "registerTransactions": {
        "one transaction": {"id": _HASH, "metadata": {"invoice": 17}},
        "an expected payment": {
            "id": _HASH,
            "confirmations": 12,
            "expires_in": 86_400,
            "metadata": {"invoice": 17},
            "expect": {"to": _RECEIVER, "value": "1000000000000000000"},
        },
        "by sender and nonce": {"sender": _SENDER, "nonce": 4, "confirmations": "finalized"},
        "several transactions": {
            "transactions": [{"id": _HASH}, {"sender": _SENDER, "nonce": 5}],
        },
    },
    "changeTransaction": {
        "more confirmations": {"confirmations": 30},
        "a deadline": {"deadline": "2030-01-31T12:00:00Z"},
        "no deadline": {"deadline": None},
    },
    "watchAddresses": {
        "one address": {"address": _RECEIVER, "metadata": {"customer": 7}},
        "several addresses": {
            "addresses": [{"address": _RECEIVER}, {"address": _SENDER, "confirmations": 30}],
        },
    },
    "createEndpoint": {
        "every event": {"url": _URL},
        "final states and alerts": {
            "url": _URL,
            "states": ["confirmed", "failed", "dropped"],
            "alerts": ["outbox.stalled", "disk.low"],
        },
        "your own secret": {"url": _URL, "secret": _SECRET},
    },
    "updateEndpoint": {"another URL": {"url": "https://shop.example/hooks/v2/payments"}},
    "disableEndpoint": {"maintenance": {"reason": "the shop is moved to another host"}},
    "rotateEndpointSecret": {
        "a new secret of the service": {},
        "your own secret": {"secret": _SECRET},
    },
    "redeliverEvents": {
        "all dead letters": {},
        "one event": {"event": "e42"},
        "all events from a cursor on": {"since": "e42"},
    },
    "createToken": {
        "of a shop": {"label": "shop", "scopes": ["read", "write"]},
        "of an operator, for a month": {
            "label": "Alice",
            "scopes": ["admin"],
            "expires_in": 2_592_000,
        },
    },
}
