"""When there is room for questions that can wait."""

# One block should cost no more.
_REQUESTS_PER_BLOCK = 4
# After so many looks at the head without any, such questions are asked whatever they cost.
_LONGEST_WAIT_LOOKS = 10


class Budget:
    """Counts what a block costs: the looks at the head that found none, and all that it took."""

    def __init__(self) -> None:
        self._vain_looks = 0
        self._looks_since = 0

    def look(self, requests: int, *, is_new: bool) -> bool:
        """Note a look at the head, and say whether there is room for a batch of questions.

        Args:
            requests: HTTP requests that it took, its own and those for the block.
            is_new: Whether there was a block.
        """
        room = is_new and self._vain_looks + requests < _REQUESTS_PER_BLOCK
        self._vain_looks = 0 if is_new else self._vain_looks + 1
        self._looks_since += 1
        if room or self._looks_since >= _LONGEST_WAIT_LOOKS:
            self._looks_since = 0
            return True
        return False
