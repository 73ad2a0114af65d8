"""When there is room for questions that can wait."""

# One block should cost no more.
_REQUESTS_PER_BLOCK = 4
# After so many looks at the head without any, such questions are asked whatever they cost: at two
# looks a block that is as good as never.
_LONGEST_WAIT_LOOKS = 24
# So many batches about deadlines need no room, and one more each time that these looks have passed:
# a few deadlines are not kept waiting, a thousand at once are asked about over several blocks.
_FREE_BATCHES = 2
# A chain that rests costs little: after so many looks in a row without a block, and each time so
# many have passed again, there is one more.
_RESTING_LOOKS = 4
# While deadlines are due, other questions get every so many-th batch.
_TURNS = 4


class Budget:
    """Counts what blocks cost: the looks at the head that found none, and all that it took.

    What was more than a block should cost is made up for by those after it.
    """

    def __init__(self) -> None:
        self._spent = 0
        self._looks_since = 0
        self._looks = 0
        self._resting = 0
        self._free = _FREE_BATCHES
        self._turn = 0

    def look(self, requests: int, *, is_new: bool) -> bool:
        """Note a look at the head, and return whether there is room for a batch of questions.

        Args:
            requests: HTTP requests since the look before: its own and all others.
            is_new: Whether there was a block.
        """
        self._spent += requests
        room = is_new and self._spent < _REQUESTS_PER_BLOCK
        if is_new:
            self._spent = min(max(0, self._spent - _REQUESTS_PER_BLOCK), _REQUESTS_PER_BLOCK)
        self._looks += 1
        self._resting = 0 if is_new else self._resting + 1
        is_resting = self._resting > 0 and self._resting % _RESTING_LOOKS == 0
        if is_resting or self._looks % _LONGEST_WAIT_LOOKS == 0:
            self._free = min(self._free + 1, _FREE_BATCHES)
        self._looks_since += 1
        if room or self._looks_since >= _LONGEST_WAIT_LOOKS:
            self._looks_since = 0
            return True
        return False

    def for_deadlines(self, *, room: bool) -> bool:
        """Return whether the next batch is about deadlines that have come.

        They share the room with other questions, which get each fourth batch.

        Args:
            room: What ``look`` has returned.
        """
        if room:
            self._turn = (self._turn + 1) % _TURNS
            return self._turn != 0
        if not self._free:
            return False
        self._free -= 1
        return True
