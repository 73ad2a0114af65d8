"""Secrets of the configuration are never printed."""

from collections.abc import Callable
from pathlib import Path

from transaction_tracker.settings import load

SECRETS = """
[database]
url = "postgresql://user:db-s3cret-1@host/name?password=db-s3cret-2&sslpassword=db-s3cret-3"
[[providers]]
url = "https://s3cret-user:s3cret-password@host/v3/s3cret-path?key=s3cret-query"
ws_url = "wss://host/s3cret-socket"
"""


def test_no_form_of_the_configuration_shows_a_secret(written: Callable[[str], Path]) -> None:
    configuration = load(written(SECRETS))

    forms = [
        repr(configuration),
        str(configuration),
        repr(configuration.model_dump()),
        configuration.model_dump_json(),
    ]
    assert "s3cret" not in "".join(forms)
    assert "postgresql://host/name" in configuration.model_dump_json()
    assert "https://host/…" in configuration.model_dump_json()
