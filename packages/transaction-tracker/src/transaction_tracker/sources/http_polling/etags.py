"""What a service said last, and under which name, so that it need not say it again."""

from collections import OrderedDict

from transaction_tracker.domain import Reported

# Of a million transactions, those that were asked about last: each takes some 300 bytes.
_MOST = 100_000
_LONGEST = 200


class Etags:
    """The last answers about transactions, by the names that the service gave them.

    Source:
        RFC 9110, section 8.8.3 for ``ETag``, 13.1.2 for ``If-None-Match``.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._answers: OrderedDict[str, tuple[str, Reported | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, transaction: str) -> tuple[str, Reported | None] | None:
        """Give the name of the last answer, and the answer."""
        return self._answers.get(transaction)

    def keep(self, transaction: str, tag: str | None, answer: Reported | None) -> None:
        """Remember an answer, if it has a name."""
        self._answers.pop(transaction, None)
        if tag is None or len(tag) > _LONGEST or not (tag.isascii() and tag.isprintable()):
            return
        self._answers[transaction] = (tag, answer)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)
