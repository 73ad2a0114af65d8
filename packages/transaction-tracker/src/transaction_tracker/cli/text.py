"""Text for a terminal."""


def printable(text: str) -> str:
    """Show what came from outside without its control codes: a terminal would obey them."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
