"""The configuration's page lists every option as the model has it.

Run as a program, this writes the page's tables anew.
"""

from itertools import groupby
from pathlib import Path

from transaction_tracker.settings import Configuration
from transaction_tracker.settings.reference import Option, reference

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "configuration.md"
MARK = "<!-- options -->\n"


def tables() -> str:
    sections = groupby(reference(), key=lambda one: one.key.split(".")[0])
    return "\n".join(section(name, list(found)) for name, found in sections)


def section(name: str, found: list[Option]) -> str:
    many = found[0].key.startswith(f"{name}.0.")
    title = f"[[{name}]]" if many else f"[{name}]"
    head = (
        f"### `{title}`\n\n{explained(name)}\n\n| Option | Default | What it is |\n|---|---|---|\n"
    )
    return head + "".join(row(one, f"{name}.0." if many else f"{name}.") for one in found)


def explained(name: str) -> str:
    kind = Configuration.model_fields[name].annotation
    model = getattr(kind, "__args__", (kind,))[0]
    return str(model.__doc__).strip().partition("\n")[0]


def row(one: Option, prefix: str) -> str:
    default = "must be given" if one.required else f"`{one.default}`" if one.default else ""
    name = one.key.removeprefix(prefix)
    return f"| `{name}` | {default} | {one.says} It must be {one.expected}. |\n"


def test_page_lists_every_option_as_it_is() -> None:
    before, _, after = PAGE.read_text().partition(MARK)
    text, _, rest = after.partition(MARK)

    assert before
    assert rest
    assert text.strip() == tables().strip(), f"run python {__file__}"


def test_every_option_says_what_it_is() -> None:
    wrong = [
        one.key
        for one in reference()
        if not one.says.endswith(".") or not one.expected or one.expected == "None"
    ]

    assert wrong == []


if __name__ == "__main__":
    before, _, after = PAGE.read_text().partition(MARK)
    _, _, rest = after.partition(MARK)
    PAGE.write_text(f"{before}{MARK}\n{tables()}\n{MARK}{rest}")
