"""``txtrack config``: the configuration as it is understood."""

import json
from dataclasses import asdict
from typing import Any

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.exits import BAD_INPUT, OK
from transaction_tracker.cli.flags import ConfigurationFlags, Json, unusable
from transaction_tracker.cli.groups import CARE
from transaction_tracker.settings import Configuration, ConfigurationError
from transaction_tracker.settings.reference import reference

app = App(name="config", group=CARE, help="Show, check and explain the configuration.")


@app.command
def show(*, flags: ConfigurationFlags | None = None, as_json: Json = False) -> None:
    """Show every option as it counts now: file, variables and flags taken together.

    Secrets are hidden: of an address only the host is shown. The text is TOML.

    Exit status: 0; 2 if the configuration cannot be used.

    Args:
        as_json: Print one JSON document.
    """
    values = (flags or ConfigurationFlags()).load().model_dump(mode="json")
    if as_json:
        output.write_document(values)
    else:
        output.say("\n".join(_toml(values)))


@app.command
def check(*, flags: ConfigurationFlags | None = None, as_json: Json = False) -> int:
    """Check the configuration, without starting anything.

    `txtrack doctor` goes on from there: it also asks the providers and opens the database.

    Exit status: 0 if it can be used, 2 if not; the message names every problem.

    Args:
        as_json: Print one JSON document.
    """
    try:
        configuration = (flags or ConfigurationFlags()).read()
    except ConfigurationError as error:
        if as_json:
            output.write_document({"usable": False, "problems": [*map(asdict, error.problems)]})
            return BAD_INPUT
        raise unusable(error) from None
    if as_json:
        output.write_document({"usable": True, "problems": []})
    else:
        output.say(f"The configuration can be used. {_summary(configuration)}")
    return OK


@app.command
def options(*, as_json: Json = False) -> None:
    """List every option: what it must be, its default, what it does.

    Exit status: 0.

    Args:
        as_json: Print a JSON line for each.
    """
    for one in reference():
        if as_json:
            output.write_json(asdict(one))
            continue
        output.say(one.key if one.default is None else f"{one.key} = {one.default}")
        output.say(f"    {one.says}\n    {one.expected}; {one.variable}")


def _summary(configuration: Configuration) -> str:
    providers = ", ".join(str(one.url) for one in configuration.providers) or "none yet"
    return f"Providers: {providers}. Database: {configuration.database.url}."


def _toml(values: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for section, content in values.items():
        for one in content if isinstance(content, list) else [content]:
            lines.append(f"[[{section}]]" if isinstance(content, list) else f"[{section}]")
            lines += [_line(name, value) for name, value in one.items()]
            lines.append("")
    return lines[:-1]


def _line(name: str, value: Any) -> str:
    # TOML has no null; its numbers, texts, booleans and lists are written as JSON's.
    return f"# {name} is not set" if value is None else f"{name} = {json.dumps(value)}"
