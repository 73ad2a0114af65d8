"""The configuration page lists every option of the model.

Run as a program, this writes the page's tables again.
"""

from itertools import groupby
from pathlib import Path

from transaction_tracker.settings import Configuration, load
from transaction_tracker.settings.convert import application_settings
from transaction_tracker.settings.reference import Option, reference

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "configuration.md"
MARK = "<!-- options -->\n"


def tables() -> str:
    sections = groupby(reference(), key=lambda option: option.key.split(".")[0])
    return "\n".join(section(name, list(found)) for name, found in sections)


def section(name: str, found: list[Option]) -> str:
    many = found[0].key.startswith(f"{name}.0.")
    title = f"[[{name}]]" if many else f"[{name}]"
    head = (
        f"### `{title}`\n\n{explained(name)}\n\n| Option | Default | Description |\n|---|---|---|\n"
    )
    return head + "".join(row(option, f"{name}.0." if many else f"{name}.") for option in found)


def explained(name: str) -> str:
    kind = Configuration.model_fields[name].annotation
    model = getattr(kind, "__args__", (kind,))[0]
    return str(model.__doc__).strip().partition("\n")[0]


def row(option: Option, prefix: str) -> str:
    default = "required" if option.required else f"`{option.default}`" if option.default else ""
    name = option.key.removeprefix(prefix)
    return f"| `{name}` | {default} | {option.description} It must be {option.expected}. |\n"


def test_page_lists_every_option() -> None:
    before, _, after = PAGE.read_text().partition(MARK)
    text, _, rest = after.partition(MARK)

    assert before
    assert rest
    assert text.strip() == tables().strip(), f"run python {__file__}"


def test_every_option_has_a_description() -> None:
    wrong = [
        option.key
        for option in reference()
        if not option.description.endswith(".") or not option.expected or option.expected == "None"
    ]

    assert wrong == []


def test_example_of_several_chains_is_valid(tmp_path: Path) -> None:
    page = PAGE.parent / "several_chains.md"
    path = tmp_path / "some.toml"
    path.write_text(page.read_text().partition("```text\n")[2].partition("```")[0])

    settings = application_settings(load(path))

    assert [source.name for source in settings.sources] == ["main", "base", "bank"]


if __name__ == "__main__":
    before, _, after = PAGE.read_text().partition(MARK)
    _, _, rest = after.partition(MARK)
    PAGE.write_text(f"{before}{MARK}\n{tables()}\n{MARK}{rest}")
