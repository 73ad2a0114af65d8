"""Text for a terminal."""


def printable(text: str) -> str:
    """Return text from outside without control codes, which a terminal would execute."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
