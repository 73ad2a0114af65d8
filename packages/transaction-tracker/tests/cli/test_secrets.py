"""Each secret of a configuration is removed from texts."""

from pathlib import Path

import pytest

from transaction_tracker.cli.logs import redactors
from transaction_tracker.settings import load

BLOCKS = """
[database]
url = "postgresql://user:db-s3cret-1@host/name?password=db-s3cret-2&sslpassword=db-s3cret-3"
[[providers]]
url = "https://s3cret-user:s3cret-password@host/v3/s3cret-path?key=s3cret-query"
ws_url = "wss://host/s3cret-socket"
[[providers]]
url = "https://other/s3cret-second"
"""
HTTP = """
[source]
type = "http"
[http]
name = "bank"
url = "https://bank.example/v1/s3cret-path-1/{id}?key=s3cret-query"
id = "id"
status = "state"
[http.words]
DONE = "confirmed"
[http.headers]
Authorization = "Bearer s3cret-header"
"""


def without_secrets(text: str, configuration: str) -> str:
    """Return a text as the logs show it."""
    file = Path("some.toml")  # in the folder of the test
    file.write_text(configuration)
    for redact in redactors(load(file)):
        text = redact(text)
    return text


@pytest.mark.parametrize(
    ("configuration", "secret"),
    [
        (BLOCKS, "db-s3cret-1"),
        (BLOCKS, "db-s3cret-2"),
        (BLOCKS, "db-s3cret-3"),
        (BLOCKS, "s3cret-user"),
        (BLOCKS, "s3cret-password"),
        (BLOCKS, "s3cret-path"),
        (BLOCKS, "s3cret-query"),
        (BLOCKS, "s3cret-socket"),
        (BLOCKS, "s3cret-second"),
        (HTTP, "s3cret-path-1"),
        (HTTP, "s3cret-query"),
        (HTTP, "s3cret-header"),
    ],
)
def test_each_secret_is_removed_from_a_line(configuration: str, secret: str) -> None:
    assert without_secrets(f"told {secret}.", configuration) == "told …."
