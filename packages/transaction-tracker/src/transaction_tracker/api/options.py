"""Address, limits and timeouts of the API."""

import ipaddress

from transaction_tracker.domain.duration import SECONDS
from transaction_tracker.net.service import EXPLORER_URL, SERVICE_URL
from transaction_tracker.options import Section, number, option
from transaction_tracker.options.values import ExplorerUrl, Networks, Seconds, ServiceUrl

MAX_SHUTDOWN_SECONDS = 60.0

_OVER_ZERO = f"over 0: {SECONDS}"


class WebSection(Section):
    """The HTTP API, the metrics and the health checks."""

    host: str = option(
        "127.0.0.1",
        "an address to listen on, such as 127.0.0.1 or 0.0.0.0",
        "Address to listen on. An address that other machines can reach requires a token.",
        min_length=1,
        max_length=255,
    )
    port: int = option(
        8080,
        "a port, 0 to 65535",
        "Port to listen on; 0 chooses a free port and prints it.",
        ge=0,
        le=65535,
    )
    public_url: ServiceUrl | None = option(
        None,
        SERVICE_URL,
        "URL at which clients reach this service. A standby on another machine shows it.",
        # A URL with a password is an error, and the message must not show the password.
        secret=True,
    )
    explorer_url: ExplorerUrl | None = option(
        None,
        EXPLORER_URL,
        "URL of a transaction at a block explorer, for the links of the dashboard; {id} stands for "
        "its id.",
    )
    trusted_proxies: Networks = option(
        (),
        'a list of networks, such as ["10.0.0.0/8"]',
        "Networks of proxies whose X-Forwarded-For header is trusted.",
    )
    max_body_bytes: int = option(
        8 * 2**20, "1,024 or more", "Maximum size of a request's body.", ge=1024, le=2**30
    )
    max_headers_bytes: int = option(
        16 * 1024,
        "1,024 or more",
        "Maximum size of a request's line and headers.",
        ge=1024,
        le=2**20,
    )
    max_requests: int = number(2_000, 1, 1_000_000, "Maximum number of requests in progress.")
    max_connections: int = number(
        4_000,
        1,
        1_000_000,
        "Maximum number of open connections; lowered if the limit of open files requires it.",
    )
    max_connections_per_address: int = number(
        1_000,
        1,
        1_000_000,
        "Maximum number of open connections from one IPv4 address or IPv6 network (/64). Trusted "
        "proxies are exempt.",
    )
    max_waiters: int = number(1_000, 1, 1_000_000, "Maximum number of long polls in progress.")
    max_streams: int = number(200, 1, 1_000_000, "Maximum number of open event streams.")
    max_registering: int = number(
        50_000,
        1,
        10_000_000,
        "Maximum number of transactions that are being registered. Above it, the service responds "
        "with 429 and Retry-After.",
    )
    max_failures: int = number(
        10,
        1,
        1_000_000,
        "Number of wrong tokens from one address within a minute that blocks the address for the "
        "rest of the minute.",
    )

    @property
    def is_local(self) -> bool:
        """Whether the address is a loopback address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


class WebOptions(WebSection):
    """The HTTP API, with the timeouts that only Python programs can change."""

    max_wait_seconds: Seconds = option(60.0, _OVER_ZERO, "Maximum duration of a long poll.", gt=0)
    header_seconds: Seconds = option(
        10.0, _OVER_ZERO, "Timeout for receiving the headers of a request.", gt=0
    )
    body_seconds: Seconds = option(
        30.0, _OVER_ZERO, "Timeout for receiving the body of a request.", gt=0
    )
    send_seconds: Seconds = option(
        10.0, _OVER_ZERO, "Timeout for a client to accept a part of a response.", gt=0
    )
    heartbeat_seconds: Seconds = option(
        15.0, _OVER_ZERO, "Time without an event after which a stream sends a comment.", gt=0
    )
    shutdown_seconds: Seconds = option(
        5.0,
        f"over 0, up to {MAX_SHUTDOWN_SECONDS:g}s: {SECONDS}",
        "Time for requests in progress to end when the API stops.",
        gt=0,
        le=MAX_SHUTDOWN_SECONDS,
    )
