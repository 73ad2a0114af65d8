"""What is in the databases of tests, and how it gets there."""

from collections.abc import Callable
from typing import Any

# Whose transactions they hold.
SOURCE = "ethereum:31337"

Run = Callable[..., Any]
