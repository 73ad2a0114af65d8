"""Secrets of the configuration never print."""

from collections.abc import Callable
from pathlib import Path

from transaction_tracker.settings import load

SECRETS = """
[database]
url = "postgresql://user:s3cret@host/name?password=s3cret&sslpassword=s3cret"
[[providers]]
url = "https://user:s3cret@host/v3/s3cret?key=s3cret"
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
