"""``txtrack token``: manage the bearer tokens of the HTTP API."""

from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cyclopts import App

from transaction_tracker.cli import output
from transaction_tracker.cli.commands import MANAGE
from transaction_tracker.cli.database import in_database
from transaction_tracker.cli.exits import BadInputError, CommandError
from transaction_tracker.cli.flags import NO_FLAGS, ConfigurationFlags, Json, NoHeader, seconds
from transaction_tracker.store.access import (
    Scope,
    Token,
    add_token,
    create_token,
    list_tokens,
    revoke_token,
)

app: App = App(name="token", group=MANAGE, help="Create, list and revoke bearer tokens.")


@app.command
def create(
    label: str,
    /,
    *,
    scope: tuple[Scope, ...] = ("read", "write"),
    expires_in: str | None = None,
    flags: ConfigurationFlags = NO_FLAGS,
    as_json: Json = False,
) -> None:
    """Create a token and print it once; the database stores only its hash.

    With shards, all of them get the token, so that a router can pass it to each. A running service
    accepts the token at once. After the first token, the service refuses requests without a token,
    also from this machine.

    Exit status: 0; 1 if the database cannot be used, 2 for bad input.

    Args:
        label: Purpose of the token, such as the name of its user.
        scope: Permission of the token: read, write or admin (all); can be repeated.
        expires_in: Time such as 90d after which the token expires. Default: never.
        as_json: Print one JSON document.
    """
    lasting = None if expires_in is None else seconds("--expires-in", expires_in)
    make = partial(create_token, label=label, scopes=set(scope), expires_in=lasting)
    database, *others = flags.load().all_databases
    try:
        text, token = in_database(database, make)
    except ValueError as error:
        raise BadInputError(str(error)) from None
    for other in others:
        in_database(other, partial(add_token, token=token))
    if as_json:
        output.write_document({"token": text, **_facts(token)})
        return
    output.note(f"Token {token.id} for {label!r}. Save it now: it cannot be shown again.")
    output.say(text)


@app.command
def ls(
    *,
    no_header: NoHeader = False,
    flags: ConfigurationFlags = NO_FLAGS,
    as_json: Json = False,
) -> None:
    """List all tokens, including revoked and expired ones, without their texts.

    Exit status: 0; 1 if the database cannot be used, 2 for bad input.

    Args:
        as_json: Print one JSON line per token.
    """
    found = map(_facts, in_database(flags.load().databases[0], list_tokens))
    columns = ("id", "label", "scopes", "state", "created", "last used", "expires")
    output.items(found, columns, _row, as_json=as_json, header=not no_header)


@app.command
def revoke(token: str, /, *, flags: ConfigurationFlags = NO_FLAGS, as_json: Json = False) -> None:
    """Revoke a token; a running service refuses it within 5 s.

    Exit status: 0; 1 if the token is unknown or the database cannot be used; 2 for bad input.

    Args:
        token: Id of the token, as `txtrack token ls` shows it, or the token itself.
        as_json: Print one JSON document.
    """
    key = token.split("_")[1] if token.startswith("txt_") and token.count("_") > 1 else token
    # At all shards before the result is judged: it must not stay valid at one of them.
    revoked = [
        in_database(url, partial(revoke_token, token=key)) for url in flags.load().all_databases
    ]
    if not any(revoked):
        raise CommandError(f"no valid token {key}; txtrack token ls lists the tokens")
    if as_json:
        output.write_document({"id": key, "revoked": True})
    else:
        output.say(f"token {key} is revoked")


def _facts(token: Token) -> dict[str, Any]:
    facts = asdict(token)
    del facts["secret_hash"]
    times = {name: _time(value) for name, value in facts.items() if name.endswith("_at")}
    usable = token.usable(datetime.now(UTC).timestamp())
    state = "accepted" if usable else "expired" if token.revoked_at is None else "revoked"
    return facts | times | {"scopes": sorted(token.scopes), "state": state}


def _row(facts: dict[str, Any]) -> list[Any]:
    names = ("id", "label", "scopes", "state", "created_at", "last_used_at", "expires_at")
    return [" ".join(facts[name]) if name == "scopes" else facts[name] for name in names]


def _time(value: float | None) -> str | None:
    if value is None:
        return None
    return datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
