"""Whether the database can be opened, is free, and is up to date."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from transaction_tracker.cli.checks.finding import Finding, error, fine, warning
from transaction_tracker.store import StoreError, owner, postgresql
from transaction_tracker.store.upgrade import pending_revisions
from transaction_tracker.store.url import DatabaseUrl

LEAST_FREE_BYTES = 2**30


def check(url: DatabaseUrl, *, service_runs: bool) -> list[Finding]:
    """Look at the database without changing it.

    Args:
        url: Where it is.
        service_runs: Whether our own service runs, and so owns it.
    """
    about = f"database {url}"
    try:
        found = [*_place(about, url), *_revision(about, url)]
        if not service_runs and not any(one.severity == "error" for one in found):
            found += _in_use(about, url)
    except StoreError as caught:
        found = [_unusable(about, str(caught))]
    return found or [fine(about, "can be used, and is up to date")]


def is_there(url: DatabaseUrl) -> bool:
    """Say whether it has the tables that this program knows, so that they can be read."""
    try:
        kept = url.is_postgresql or (url.path is not None and url.path.exists())
        return kept and not pending_revisions(url)
    except StoreError:
        return False


def _unusable(about: str, what: str) -> Finding:
    return error(
        about,
        f"cannot be used: {what}",
        why="nothing is followed that cannot be stored",
        do="correct database.url; for PostgreSQL, see that the server runs and lets this user in",
    )


def _place(about: str, url: DatabaseUrl) -> Iterator[Finding]:
    if url.is_postgresql:
        return
    if url.path is None:
        yield warning(
            about,
            "is in memory",
            why="with the service, everything that it knows is gone",
            do="set database.url to a file",
        )
        return
    folder = url.path.resolve().parent
    if not folder.is_dir():
        yield error(
            about,
            f"the folder {folder} is not there",
            why="the file is made when it is missing; its folder is not",
            do=f"mkdir -p {folder}, or correct database.url",
        )
    else:
        yield from _space(about, folder)


def _space(about: str, folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        yield warning(
            about,
            f"only {free / 2**20:,.0f} MiB are free at {folder}",
            why="when the disk is full the service stands still, though it loses nothing",
            do="make room, or remove what ended long ago with txtrack prune",
        )


def _revision(about: str, url: DatabaseUrl) -> Iterator[Finding]:
    is_new = not url.is_postgresql and (url.path is None or not url.path.exists())
    if is_new or not (pending := pending_revisions(url)):
        return
    yield warning(
        about,
        f"lacks migrations: {', '.join(pending)}",
        why="this program changes the tables at its start, and older ones cannot use them then",
        do="copy the database, then run txtrack migrate",
    )


def _in_use(about: str, url: DatabaseUrl) -> Iterator[Finding]:
    try:
        _own_for_a_moment(url)
    except StoreError as caught:
        yield error(
            about,
            str(caught),
            why="one service owns its database; a second one would do everything twice",
            do="stop the other program, or give this one another database",
        )
    except DBAPIError as caught:  # not printed as it is: it may hold the password
        yield _unusable(about, url.describe(caught))


def _own_for_a_moment(url: DatabaseUrl) -> None:
    if url.is_postgresql:
        engine, wire = postgresql.engine(url.reveal()), postgresql.Wire()
        wire.watch(engine)
        try:
            with wire.limit(postgresql.MAX_OPEN_SECONDS):
                engine.connect().close()
        finally:
            engine.dispose()
            wire.close()
    elif url.path is not None and url.path.exists():
        try:
            owner.acquire(url.path).release()
        except OSError as caught:
            raise StoreError(f"cannot be written: {caught.strerror}") from None
