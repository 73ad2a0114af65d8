"""The commands of the page about backups copy and restore the database of a running service."""

import os
import re
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from transaction_tracker.store import reading
from transaction_tracker.store.database import Database
from transaction_tracker.store.registering import register

from .support import wanted

PAGE = Path(__file__).parents[4] / "docs" / "tracker" / "backup.md"


def open_ids(connection: Connection) -> list[str]:
    return sorted(tracked.id for batch in reading.load_open(connection) for tracked in batch)


def commands(heading: str, first_word: str) -> str:
    """Return the shell block below a heading of the page that begins with a word."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (block,) = re.findall(rf"^```sh\n({first_word}.*?)^```", section, re.DOTALL | re.MULTILINE)
    return str(block)


def shell(command: str, folder: Path, **variables: str) -> None:
    # On Debian, pg_dump is on the path; elsewhere it lies with the server's programs.
    path = os.pathsep.join(
        [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
    )
    subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=os.environ | variables | {"PATH": path},
        check=True,
        timeout=60,
    )


def test_copy_of_a_running_sqlite_service_restores_its_state(tmp_path: Path) -> None:
    path = tmp_path / "transactions.db"
    running = Database(path).open()
    running.run([partial(register, registrations=wanted("before"))])

    shell(commands("Back up", "python3"), tmp_path)

    running.run([partial(register, registrations=wanted("after"))])
    running.close()
    shell(commands("Restore", "rm"), tmp_path)
    restored = Database(path).open()
    assert restored.run([open_ids]) == [["before"]]
    restored.close()


@pytest.mark.postgres
def test_copy_of_a_running_postgresql_service_restores_its_state(
    postgres: Any, tmp_path: Path
) -> None:
    with postgres.database() as url, postgres.database("template1") as new_url:
        running = Database(url).open()
        running.run([partial(register, registrations=wanted("before"))])

        shell(commands("Back up", "pg_dump"), tmp_path, DATABASE_URL=url)

        running.run([partial(register, registrations=wanted("after"))])
        running.close()
        shell(commands("Restore", "pg_restore"), tmp_path, NEW_DATABASE_URL=new_url)
        restored = Database(new_url).open()
        assert restored.run([open_ids]) == [["before"]]
        restored.close()
