"""When there is room for questions that can wait."""

# One block should cost no more.
_REQUESTS_PER_BLOCK = 4
# After so many looks at the head without any, such questions are asked whatever they cost: at two
# looks a block that is as good as never.
_LONGEST_WAIT_LOOKS = 24


class Budget:
    """Counts what blocks cost: the looks at the head that found none, and all that it took.

    What was more than a block should cost is made up for by those after it.
    """

    def __init__(self) -> None:
        self._spent = 0
        self._looks_since = 0

    def look(self, requests: int, *, is_new: bool) -> bool:
        """Note a look at the head, and say whether there is room for a batch of questions.

        Args:
            requests: HTTP requests that it took, its own and those for the block.
            is_new: Whether there was a block.
        """
        self._spent += requests
        room = is_new and self._spent < _REQUESTS_PER_BLOCK
        if is_new:
            self._spent = min(max(0, self._spent - _REQUESTS_PER_BLOCK), _REQUESTS_PER_BLOCK)
        self._looks_since += 1
        if room or self._looks_since >= _LONGEST_WAIT_LOOKS:
            self._looks_since = 0
            return True
        return False

    def spend(self, requests: int) -> None:
        """Count what questions cost for which there was room.

        Args:
            requests: HTTP requests that they took. One is foreseen; a node that refuses batches
                makes them cost more, and the next blocks make up for that.
        """
        self._spent += max(0, requests - 1)
