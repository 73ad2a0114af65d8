"""``txtrack config``: show, check and explain the configuration."""

import json
import re
from dataclasses import asdict
from typing import Any

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.commands import MANAGE
from transaction_tracker.cli.exits import BAD_INPUT, OK
from transaction_tracker.cli.flags import NO_FLAGS, ConfigurationFlags, Json, unusable
from transaction_tracker.settings import Configuration, ConfigurationError
from transaction_tracker.settings.reference import reference
from transaction_tracker.settings.together import meaningful

_BARE = re.compile("[A-Za-z0-9_-]+")

app: App = App(name="config", group=MANAGE, help="Show, check and explain the configuration.")


@app.command
def show(*, flags: ConfigurationFlags = NO_FLAGS, as_json: Json = False) -> None:
    """Show the value of every option, from the file, environment variables and flags.

    The output is TOML. Secrets are hidden: it contains only the host of a URL, and only the name of
    a header.

    Exit status: 0; 2 if the configuration is invalid.

    Args:
        as_json: Print one JSON document.
    """
    values = meaningful(flags.load())
    if as_json:
        output.write_document(values)
    else:
        output.say("\n".join(_toml(values)[:-1]))


@app.command
def check(*, flags: ConfigurationFlags = NO_FLAGS, as_json: Json = False) -> int:
    """Check the configuration without starting the service.

    `txtrack doctor` checks more: it also queries the providers and opens the database.

    Exit status: 0 if the configuration is valid, 2 if not; the message names every problem.

    Args:
        as_json: Print one JSON document.
    """
    try:
        configuration = flags.read()
    except ConfigurationError as error:
        if as_json:
            output.write_document({"usable": False, "problems": [*map(asdict, error.problems)]})
            return BAD_INPUT
        raise unusable(error) from None
    if as_json:
        output.write_document({"usable": True, "problems": []})
    else:
        output.say(f"The configuration is valid. {_summary(configuration)}")
    return OK


@app.command
def options(*, as_json: Json = False) -> None:
    """List every option with its default, its description and its valid values.

    Exit status: 0.

    Args:
        as_json: Print one JSON line per option.
    """
    for option in reference():
        if as_json:
            output.write_json(asdict(option))
            continue
        default = "" if option.default is None else f" = {option.default}"
        output.say(f"{option.key}{default}")
        output.say(f"    {option.description}\n    {option.expected}; {option.variable}")


def _summary(configuration: Configuration) -> str:
    if configuration.sources:
        names = ", ".join(f"{entry.name} ({entry.type})" for entry in configuration.sources)
        source = f"Sources: {names}"
    elif configuration.http is not None:
        http = configuration.http
        source = f"Source: {http.name}, polled at {http.model_dump()['url']}"
    else:
        urls = ", ".join(str(one.url) for one in configuration.providers)
        source = f"Providers: {urls or 'none yet'}"
    return f"{source}. Database: {configuration.database_url}."


def _toml(values: dict[str, Any], at: str = "") -> list[str]:
    lines: list[str] = []
    for section, content in values.items():
        name = f"{at}{section}"
        for one in content if isinstance(content, list) else [content]:
            if one is not None:
                lines += [f"[[{name}]]" if isinstance(content, list) else f"[{name}]", *_table(one)]
                lines.append("")
                lines += _toml(_inner(one), f"{name}.")
    return lines


def _table(values: dict[str, Any]) -> list[str]:
    inner = _inner(values)
    return [_line(name, value) for name, value in values.items() if name not in inner]


def _inner(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if _is_table(value)}


def _is_table(value: Any) -> bool:
    """Return whether a value is a table, or a list of tables."""
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, dict) for one in value)
    return isinstance(value, dict)


def _line(name: str, value: Any) -> str:
    # TOML has no null. It writes numbers, texts, booleans and lists like JSON.
    if value is None:
        return f"# {name} is not set"
    key = name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"
