"""The page about chains states what was read of other projects, and at which commit."""

import re
from pathlib import Path

from .corpora import CORPORA

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "chains.md"
KINDS = ("block", "header", "pending block", "transaction", "receipt", "log")


def test_the_page_has_the_table_of_the_corpora() -> None:
    rows = re.findall(r"^\| ([\w.-]+/[\w.-]+) \| `(\w+)` \| (.*) \|$", PAGE.read_text(), re.M)

    assert rows == [
        (
            corpus.repository,
            corpus.commit[:7],
            " | ".join(str(corpus.counts.get(kind, 0)) for kind in KINDS),
        )
        for corpus in CORPORA
    ]
