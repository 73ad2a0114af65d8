"""The last responses with their entity tags, for conditional requests."""

from collections import OrderedDict

from transaction_tracker.domain import Reported

# The most recent responses are kept; each takes about 300 bytes.
_MAX_RESPONSES = 100_000
_MAX_TAG_CHARACTERS = 200


class Etags:
    """The last response about each transaction, with the entity tag that the service gave it.

    Args:
        max_responses: Number of responses after which the oldest is dropped.

    Source:
        RFC 9110, section 8.8.3 for ``ETag``, 13.1.2 for ``If-None-Match``.
    """

    def __init__(self, max_responses: int = _MAX_RESPONSES) -> None:
        self._max_responses = max_responses
        self._responses: OrderedDict[str, tuple[str, Reported | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._responses)

    def get(self, transaction: str) -> tuple[str, Reported | None] | None:
        """Return the tag and the content of the last response, or ``None``."""
        return self._responses.get(transaction)

    def store(self, transaction: str, tag: str | None, report: Reported | None) -> None:
        """Replace the response about a transaction; without a usable tag, only remove it."""
        self._responses.pop(transaction, None)
        if tag is None or len(tag) > _MAX_TAG_CHARACTERS:
            return
        if not (tag.isascii() and tag.isprintable()):
            return
        self._responses[transaction] = (tag, report)
        if len(self._responses) > self._max_responses:
            self._responses.popitem(last=False)
