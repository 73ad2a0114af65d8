"""Problems of a configuration: the key, the expected and the actual value, and the place."""

from collections.abc import Iterable
from dataclasses import dataclass

from transaction_tracker.domain import TrackerError


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a configuration.

    Attributes:
        key: Option, such as ``web.port``; empty if the problem is not about one option.
        message: The expected and the actual value. Contains no secret.
        where: File and line, environment variable or flag with the value.
    """

    key: str
    message: str
    where: str

    def __str__(self) -> str:
        text = " ".join(filter(None, [self.key, self.message]))
        return f"{text} ({self.where})" if self.where else text


class ConfigurationError(TrackerError):
    """The configuration is invalid.

    Attributes:
        problems: All problems, not only the first one.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))
