"""The budget of requests per block, and when it allows questions that can wait."""

# Average number of requests that one block should cost.
_REQUESTS_PER_BLOCK = 4
# Number of polls of the head without such a question, after which one batch is sent whatever the
# cost. Without this, a chain whose blocks always cost more would never allow one.
_MAX_WAIT_POLLS = 24
# Batches about deadlines that need no room in the budget; each `_MAX_WAIT_POLLS` polls allow one
# more. So a few deadlines are checked at once, and a thousand are spread over several blocks.
_MAX_FREE_BATCHES = 2
# A chain without new blocks costs little: each such number of polls in a row without a block allows
# one more free batch.
_IDLE_POLLS = 4
# While deadlines are due, each fourth batch is left to other questions.
_TURNS = 4


class Budget:
    """Counts the requests per block: polls without a new block, and everything a block needs.

    A block that costs more than the budget reduces the room of the blocks after it.
    """

    def __init__(self) -> None:
        self._spent = 0
        self._polls_since_batch = 0
        self._polls = 0
        self._idle = 0
        self._free_batches = _MAX_FREE_BATCHES
        self._turn = 0

    def poll(self, requests: int, *, is_new: bool) -> bool:
        """Record a poll of the head; return whether there is room for a batch of questions.

        Args:
            requests: HTTP requests since the last poll, including those of this poll.
            is_new: Whether the poll found a new block.
        """
        self._spent += requests
        room = is_new and self._spent < _REQUESTS_PER_BLOCK
        if is_new:
            self._spent = min(max(0, self._spent - _REQUESTS_PER_BLOCK), _REQUESTS_PER_BLOCK)
        self._polls += 1
        self._idle = 0 if is_new else self._idle + 1
        is_idle = self._idle > 0 and self._idle % _IDLE_POLLS == 0
        if is_idle or self._polls % _MAX_WAIT_POLLS == 0:
            self._free_batches = min(self._free_batches + 1, _MAX_FREE_BATCHES)
        self._polls_since_batch += 1
        if room or self._polls_since_batch >= _MAX_WAIT_POLLS:
            self._polls_since_batch = 0
            return True
        return False

    def for_deadlines(self, *, room: bool) -> bool:
        """Return whether the next batch is about deadlines that have passed.

        Args:
            room: The result of ``poll``.
        """
        if room:
            self._turn = (self._turn + 1) % _TURNS
            return self._turn != 0
        if not self._free_batches:
            return False
        self._free_batches -= 1
        return True
