"""Text that never prints."""


class SecretText:
    """A password or a key, on its way to the one who asks for it and nowhere else.

    Args:
        text: The secret.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            # Not even its type's own text: that could be the secret.
            raise TypeError(f"a secret must be text, got a value of type {type(text).__name__}")
        self._text = text

    @classmethod
    def of(cls, value: "str | SecretText") -> "SecretText":
        """Take a secret in either form."""
        return value if isinstance(value, SecretText) else cls(value)

    def reveal(self) -> str:
        """Give the text, to send and for nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "SecretText('…')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretText) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)
