"""Where the API listens, and what it allows."""

import ipaddress
from dataclasses import dataclass, fields

MIB = 2**20
MAX_SHUTDOWN_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WebOptions:
    """How the API meets the network.

    Attributes:
        host: Address to listen on. One that others can reach needs a token in the database.
        port: Port; 0 takes a free one.
        trusted_proxies: Addresses or networks whose ``X-Forwarded-For`` is believed.
        max_body_bytes: Size of a request's body.
        max_headers_bytes: Size of a request's line and headers.
        max_requests: Requests under way at once.
        max_connections: Open connections; more are closed at once. Fewer are accepted where the
            limit of open files leaves too little for the service's own work.
        max_connections_per_address: Open connections from one IPv4 address, or from one IPv6
            network of 64 bits; more are closed at once. Trusted proxies are exempt.
        max_waiters: Long polls under way at once.
        max_wait_seconds: How long a long poll may take, whatever it asks for.
        max_streams: Event streams open at once.
        max_registering: Transactions being registered at once: beyond it, 429.
        max_failures: Wrong tokens from one address in a minute; then it is not listened to.
        header_seconds: Time for a request's headers to come.
        body_seconds: Time for its body to come.
        send_seconds: Time for a client to take what a stream sends it.
        heartbeat_seconds: Silence after which a stream sends a comment.
        shutdown_seconds: Time for requests under way to end when the API stops.

    Raises:
        ValueError: A limit is not over 0, the port is none, a proxy is no network.
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
        for one in fields(self):
            value = getattr(self, one.name)
            limits = one.name.startswith("max_") or one.name.endswith("_seconds")
            if limits and not value > 0:
                raise ValueError(f"{one.name} must be over 0, got {value!r}")
        if self.shutdown_seconds > MAX_SHUTDOWN_SECONDS:
            raise ValueError(
                f"shutdown_seconds must be up to {MAX_SHUTDOWN_SECONDS:g}, "
                f"got {self.shutdown_seconds!r}"
            )
        for network in self.trusted_proxies:
            ipaddress.ip_network(network, strict=False)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False
