"""The part of a response body that is stored to explain an attempt."""

from collections.abc import Iterator

from yarl import URL

from transaction_tracker.domain.webhook_endpoint import PREFIX, WebhookEndpoint

MAX_EXCERPT_BYTES = 1_024
REDACTED = "[redacted]"
# A shorter part of a URL is a word such as "hook"; a key is longer.
_MIN_KEY_CHARACTERS = 12


def excerpt(body: bytes, endpoint: WebhookEndpoint, *, complete: bool) -> str | None:
    """Return the first KiB of a body as text, without the secrets of the endpoint.

    A response can repeat the request, as many 404 pages do. So the endpoint's secrets, its URL,
    and the parts of the URL that can be keys are redacted.

    Args:
        body: Body of the response, as far as it was read.
        endpoint: Endpoint that sent the response.
        complete: Whether that is the whole body. Otherwise it can end with the start of a secret,
            which is left out.
    """
    if not body:
        return None
    text = body.decode(errors="replace")
    secrets = sorted(set(_secrets(endpoint)), key=len, reverse=True)
    for secret in secrets:
        text = text.replace(secret, REDACTED)
    if not complete:
        text = text[: len(text) - max(_started(text, secret) for secret in secrets)]
    return text.encode()[:MAX_EXCERPT_BYTES].decode(errors="ignore")


def _started(text: str, secret: str) -> int:
    """Return with how many characters of the start of a secret a text ends."""
    sizes = range(min(len(secret), len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(secret[:size])), 0)


def _secrets(endpoint: WebhookEndpoint) -> Iterator[str]:
    for secret in (endpoint.secret, endpoint.previous):
        if secret is not None:
            yield secret.reveal()
            yield secret.reveal().removeprefix(PREFIX)
    url = URL(endpoint.url)
    yield endpoint.url
    for text in (url.raw_path_qs, url.path_qs):
        if text != "/":
            yield text
    parts = (*url.parts, *url.raw_parts, *url.query.values())
    yield from (part for part in parts if len(part) >= _MIN_KEY_CHARACTERS)
