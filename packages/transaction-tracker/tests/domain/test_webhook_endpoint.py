"""Limits of a webhook endpoint, in each of their forms."""

import base64
import re

import pytest

from transaction_tracker.domain.webhook_endpoint import SECRET_PATTERN, WebhookSecret


@pytest.mark.parametrize("size", [0, 1, *range(22, 27), 32, *range(62, 67)])
def test_pattern_and_secret_have_the_same_limits(size: int) -> None:
    text = "whsec_" + base64.b64encode(bytes(size)).decode()

    try:
        WebhookSecret(text)
    except ValueError:
        valid = False
    else:
        valid = True

    assert bool(re.match(SECRET_PATTERN, text)) is valid
