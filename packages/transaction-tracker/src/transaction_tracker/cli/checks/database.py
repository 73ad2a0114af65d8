"""Check whether the database can be opened, is not in use, and is up to date."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from transaction_tracker.cli.checks import Finding, error, fine, warning
from transaction_tracker.store import StoreError, owner, postgresql
from transaction_tracker.store.upgrade import pending_revisions
from transaction_tracker.store.url import DatabaseUrl

MIN_FREE_BYTES = 2**30


def check(url: DatabaseUrl, *, service_runs: bool) -> list[Finding]:
    """Check the database without changing it.

    Args:
        url: URL of the database.
        service_runs: Whether the configured service is running, and thus uses the database.
    """
    subject = f"database {url}"
    try:
        found = [*_place(subject, url), *_revision(subject, url)]
        if not service_runs and not any(finding.severity == "error" for finding in found):
            found += _in_use(subject, url)
    except StoreError as caught:
        found = [_unusable(subject, str(caught))]
    return found or [fine(subject, "usable and up to date")]


def is_there(url: DatabaseUrl) -> bool:
    """Return whether the database exists with up-to-date tables, so that it can be read."""
    try:
        exists = url.is_postgresql or (url.path is not None and url.path.exists())
        return exists and not pending_revisions(url)
    except StoreError:
        return False


def _unusable(subject: str, reason: str) -> Finding:
    return error(
        subject,
        f"not usable: {reason}",
        why="the service cannot track transactions without its database",
        fix="correct database.url; for PostgreSQL, check that the server runs and accepts this "
        "user",
    )


def _place(subject: str, url: DatabaseUrl) -> Iterator[Finding]:
    if url.is_postgresql:
        return
    if url.path is None:
        yield warning(
            subject,
            "is in memory",
            why="all data is lost when the service stops",
            fix="set database.url to a file",
        )
        return
    folder = url.path.resolve().parent
    if not folder.is_dir():
        yield error(
            subject,
            f"the folder {folder} does not exist",
            why="the service creates the file, but not its folder",
            fix=f"mkdir -p {folder}, or correct database.url",
        )
    else:
        yield from _space(subject, folder)


def _space(subject: str, folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE_BYTES:
        yield warning(
            subject,
            f"only {free / 2**20:,.0f} MiB are free in {folder}",
            why="with a full disk, the service stops tracking, although it loses no data",
            fix="free disk space, or remove old transactions with txtrack prune",
        )


def _revision(subject: str, url: DatabaseUrl) -> Iterator[Finding]:
    is_new = not url.is_postgresql and (url.path is None or not url.path.exists())
    if is_new or not (pending := pending_revisions(url)):
        return
    yield warning(
        subject,
        f"lacks migrations: {', '.join(pending)}",
        why="this version migrates the tables at its start; older versions cannot use them then",
        fix="copy the database, then run txtrack migrate",
    )


def _in_use(subject: str, url: DatabaseUrl) -> Iterator[Finding]:
    try:
        _acquire_and_release(url)
    except StoreError as caught:
        yield error(
            subject,
            str(caught),
            why="two services on one database would do everything twice, so the second one does "
            "not start",
            fix="stop the other program, or set database.url to another database",
        )
    except DBAPIError as caught:  # not printed unchanged: it can contain the password
        yield _unusable(subject, url.describe(caught))


def _acquire_and_release(url: DatabaseUrl) -> None:
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
