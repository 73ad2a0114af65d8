"""Address and limits of the API."""

import ipaddress
from dataclasses import dataclass, fields

MIB = 2**20
MAX_SHUTDOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """Address and limits of the API.

    Attributes:
        host: Address to listen on. An address that is not loopback needs a token in the database.
        port: Port to listen on; 0 chooses a free port.
        trusted_proxies: Addresses or networks whose ``X-Forwarded-For`` header is trusted.
        max_body_bytes: Maximum size of a request body.
        max_headers_bytes: Maximum size of a request's line and headers.
        max_requests: Maximum number of concurrent requests.
        max_connections: Maximum number of open connections; further connections are closed. The
            limit of open files can lower it.
        max_connections_per_address: Maximum number of open connections from one IPv4 address or
            IPv6 network (/64); further connections are closed. Trusted proxies are exempt.
        max_waiters: Maximum number of concurrent long polls.
        max_wait_seconds: Maximum duration of a long poll.
        max_streams: Maximum number of open event streams.
        max_registering: Maximum number of transactions that are registered concurrently; further
            requests get 429.
        max_failures: Number of wrong tokens per minute after which an address is blocked.
        header_seconds: Timeout for receiving the headers of a request.
        body_seconds: Timeout for receiving the body of a request.
        send_seconds: Timeout for a client to accept a part of a response.
        heartbeat_seconds: Time without an event after which a stream sends a comment.
        shutdown_seconds: Time for requests in progress to end when the API stops.

    Raises:
        ValueError: A limit is not over 0, the port is out of range, or a proxy is not a network.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    trusted_proxies: tuple[str, ...] = ()
    max_body_bytes: int = 8 * MIB
    max_headers_bytes: int = 16 * 1024
    max_requests: int = 2_000
    max_connections: int = 4_000
    max_connections_per_address: int = 1_000
    max_waiters: int = 1_000
    max_wait_seconds: float = 60.0
    max_streams: int = 200
    max_registering: int = 50_000
    max_failures: int = 10
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    send_seconds: float = 10.0
    heartbeat_seconds: float = 15.0
    shutdown_seconds: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"port must be 0 to 65535, got {self.port!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            is_limit = field.name.startswith("max_") or field.name.endswith("_seconds")
            if is_limit and not value > 0:
                raise ValueError(f"{field.name} must be over 0, got {value!r}")
        if self.shutdown_seconds > MAX_SHUTDOWN_SECONDS:
            raise ValueError(
                f"shutdown_seconds must be up to {MAX_SHUTDOWN_SECONDS:g}, "
                f"got {self.shutdown_seconds!r}"
            )
        for network in self.trusted_proxies:
            ipaddress.ip_network(network, strict=False)

    @property
    def is_local(self) -> bool:
        """Whether the address is a loopback address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
