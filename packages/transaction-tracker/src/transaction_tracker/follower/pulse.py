"""How well the follower keeps up, for everyone in the program to read at once."""

import time


class Pulse:
    """The last answer about the head. The follower writes it; everyone else only reads.

    Attributes:
        head: Height of the source's head then; ``None`` before the first answer.
        heard_at: Unix seconds of that answer.
    """

    def __init__(self) -> None:
        self.head: int | None = None
        self.heard_at: float | None = None

    def beat(self, head: int | None = None) -> None:
        """Note an answer. For the follower; a source without blocks has no head."""
        self.head = head
        self.heard_at = time.time()
