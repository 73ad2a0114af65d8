"""Text that is never printed."""


class SecretText:
    """A password or a key; ``repr`` and ``str`` do not show it.

    Args:
        text: The secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            # The error names only the type: the value could be the secret.
            raise TypeError(f"a secret must be text, got a value of type {type(text).__name__}")
        self._text = text

    @classmethod
    def of(cls, value: "str | SecretText") -> "SecretText":
        """Convert text to a secret; return a secret unchanged."""
        return value if isinstance(value, SecretText) else cls(value)

    def reveal(self) -> str:
        """Return the text, only to send it."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText('…')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)
