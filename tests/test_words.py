"""Plain words: source, messages, test names, docs and changelog avoid a list of words.

``python tests/test_words.py PATH…`` prints what must change in the files below a path.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
SUFFIXES = {".css", ".html", ".js", ".md", ".py", ".toml", ".yml"}
WITHOUT_SUFFIX = ("Makefile", "tools/")

# Each pattern, and what to write instead. A space matches a line break too.
WORDS = {
    r"(?<![Tt]here )\b(?:is|are|be|was) no (?!longer|more than)": "is not a valid X, or: unknown X",
    r"\bfor ever\b": "without limit, or name what does not change",
    r"\banew\b": "again",
    r"\bborne\b": "allowed",
    r"\bwhoever\b": "a noun",
    r"\bseldom\b": "rarely",
    r"\bwhence\b": "from where",
    r"\bin earnest\b": "in production",
    r"\bof itself\b": "by itself",
    r"\bin vain\b": "without effect",
    r"(?:,|;|\bor) else\b(?! \w+:)(?!:)": "otherwise",
    r"\bno more\b(?! than)": "no longer",
    r"\bshall\b": "must, can or will",
    r"\bc[ao]me of (?:it|the|what)\b": "the result",
    r':\n"""(?:Give|Say|Tell|Hear|Refuse|See to|Take up|Let|Be|Obey|Know|Bear)\b': "an order such "
    "as Return, Raise, Start, Send, Store",
    r"\bdef test_(?:what|who|whoever|those|one_(?:that|which|whose|of)|nobody|somebody)_": "the "
    "behaviour of a thing",
    r"\b_?(?:LONGEST|SHORTEST|MOST|LEAST|LARGEST|FEWEST|LOWEST)_[A-Z_]+": "MAX_x_… or MIN_x_…",
}
# Without the ``\b`` in front, `re` looks for the first letters ten times as fast.
_EDGE = r"\b"
PATTERNS = [
    (re.compile(word.removeprefix(_EDGE).replace(" ", "[ \n]")), word.startswith(_EDGE), plain)
    for word, plain in WORDS.items()
]

# In JavaScript, the keyword ``else`` can follow a statement on the same line.
JS_ELSE = re.compile(r"(;\s+)else\b")

NAME = re.compile(r"\bdef test_(\w+)")
# A line break, with the indentation and the comment sign after it.
BREAK = re.compile(r"\n[ \t]*(?:#+:?[ \t]*)?")


def findings(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the description of each word that must change."""
    prose = BREAK.sub("\n", text)
    # The name of a test is prose too: repeat it with spaces, on the same line.
    prose = NAME.sub(lambda match: match.group() + " " + match.group(1).replace("_", " "), prose)
    for pattern, is_word, plain in PATTERNS:
        for match in pattern.finditer(prose):
            if is_word and re.match(r"\w", prose[max(match.start() - 1, 0) : match.start()]):
                continue
            found = " ".join(match.group().split())
            yield prose.count("\n", 0, match.end()) + 1, f"{found!r}: write {plain}"


def files() -> Iterator[Path]:
    """Yield the files of the repository that hold words of ours."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        path = ROOT / name
        ours = path.suffix in SUFFIXES or name.startswith(WITHOUT_SUFFIX)
        if ours and path != Path(__file__) and path.exists():
            yield path


def problems(*names: str) -> list[str]:
    """Return the findings in all files whose path begins with one of the names."""
    found = []
    for path in files():
        name = str(path.relative_to(ROOT))
        if not name.startswith(names):
            continue
        text = path.read_text()
        if path.suffix == ".js":
            text = JS_ELSE.sub(r"\1", text)
        found += [f"{name}:{line}: {problem}" for line, problem in findings(text)]
    return found


def test_files_have_only_plain_words() -> None:
    assert problems("") == []


@pytest.mark.parametrize(
    "text",
    [
        "# A word is no\n# valid option.",
        "'the endpoint is no endpoint'",
        "x = 1  # kept for\n# ever",
        "LONGEST_DELAY = 3",
        'def f():\n    """Give the result."""',
        "def test_what_is_wrong_is_refused(): ...",
        "def test_a_test_for_ever(): ...",
        "# Close it, else it leaks.",
    ],
)
def test_word_of_the_list_is_found(text: str) -> None:
    assert list(findings(text))


@pytest.mark.parametrize(
    "text",
    [
        "# There is no block, and no attempts are left. There\n# are no others.",
        "# It is no longer open; it is no more than 3 s old.",
        "x = 1 if y else 2\nfor a in b:\n    pass\nelse:\n    pass",
        "def test_result_is_kept(): ...",
        "MAX_DELAY_SECONDS = 3",
        "# The part is forborne, renewed and Canewood; the_longest_LONGEST_X = 1",
    ],
)
def test_plain_text_passes(text: str) -> None:
    assert list(findings(text)) == []


if __name__ == "__main__":
    print("\n".join(problems(*sys.argv[1:])))
