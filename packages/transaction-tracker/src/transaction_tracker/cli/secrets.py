"""Remove a configuration's secrets from texts, such as log lines of libraries."""

from transaction_tracker.settings import Configuration
from transaction_tracker.sources.http_polling.redaction import Redact, keys, redactor

__all__ = ["Redact", "redactors"]


def redactors(configuration: Configuration) -> list[Redact]:
    """Return functions that remove the configuration's secrets from a text."""
    urls = [url for one in configuration.providers for url in (one.url, one.ws_url) if url]
    found: list[Redact] = [url.redact for url in urls]
    secrets = [*configuration.database.url.secrets]
    if (token := configuration.client.token) is not None:
        secrets.append(token.reveal())
    if (http := configuration.http) is not None:
        addresses = [text.reveal() for _, _, text in http.addresses()]
        secrets += keys(http.headers.values(), addresses)
    if secrets:
        found.append(redactor(secrets))
    return found
