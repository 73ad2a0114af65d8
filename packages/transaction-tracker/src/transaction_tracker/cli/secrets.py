"""What takes a configuration's secrets out of texts that somebody else wrote."""

from transaction_tracker.settings import Configuration
from transaction_tracker.sources.http_polling.redaction import Redact, keys, redactor

__all__ = ["Redact", "redactors"]


def redactors(configuration: Configuration) -> list[Redact]:
    """Give what takes the configuration's secrets out of a text, such as a line of the logs."""
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
