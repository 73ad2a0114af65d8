"""The source of the databases of tests, and the type of the fixture ``run``."""

from collections.abc import Callable
from typing import Any

# The source that the databases belong to.
SOURCE = "ethereum:31337"

Run = Callable[..., Any]
