"""Options of the delivery of events to webhook endpoints."""

from typing import Any

from transaction_tracker.options import Section, option
from transaction_tracker.options.values import AllowedHosts


def allowed_hosts() -> Any:
    """Declare the option for the hosts that endpoints can have although they are not public."""
    return option(
        (),
        'a list of networks, addresses and host names, such as ["10.0.0.0/8"]',
        "Hosts that endpoints can have although they are not public or do not use TLS. Other such "
        "hosts are refused, to prevent server-side request forgery (SSRF).",
    )


class WebhooksSection(Section):
    """The delivery of events to webhook endpoints."""

    allow_private: AllowedHosts = allowed_hosts()
