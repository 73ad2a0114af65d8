# ruff: noqa: S608
"""Several slots of a transaction, and the reason ``conflicted``.

SQLite cannot change a constraint, so its table of transactions is created again with the definition
that the database holds, of which only the column and the constraint are changed. So the columns
that other revisions have added stay.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_OLD_REASONS = "reason = 'nonce-used'"
_REASONS = f"{_OLD_REASONS} or reason = 'conflicted'"
_SLOT = "slot VARCHAR(200)"


def upgrade() -> None:
    """Rename the column, remove its limit, and allow the new reason."""
    if op.get_bind().dialect.name == "sqlite":
        for table in ("transactions", "events"):
            _create_again(table)
            _list(table)
        return
    for table in ("transactions", "events"):
        op.alter_column(table, "slot", new_column_name="slots")
        op.alter_column(table, "slots", type_=sa.Text())
        _list(table)
    op.drop_constraint("reason_is_known", "transactions", type_="check")
    words = "repriced cancelled replaced nonce-used conflicted"
    known = " or ".join(f"reason = '{word}'" for word in words.split())
    op.create_check_constraint("reason_is_known", "transactions", known)


def _create_again(table: str) -> None:
    connection = op.get_bind()
    query = "SELECT sql FROM sqlite_master WHERE tbl_name = :table AND sql IS NOT NULL"
    # The table itself comes first, then its indexes.
    rows = connection.execute(sa.text(f"{query} ORDER BY type = 'index'"), {"table": table}).all()
    (definition,), *indexes = rows
    op.execute(f"CREATE TABLE old_{table} AS SELECT * FROM {table}")
    op.drop_table(table)
    _run(definition.replace(_SLOT, "slots TEXT").replace(_OLD_REASONS, _REASONS))
    op.execute(f"INSERT INTO {table} SELECT * FROM old_{table}")
    op.drop_table(f"old_{table}")
    for (index,) in indexes:
        _run(index)


def _list(table: str) -> None:
    """Convert the only slot of each row to a JSON list. A slot of Ethereum needs no escapes."""
    op.execute(f"""UPDATE {table} SET slots = '["' || slots || '"]'""")


def _run(sql: str) -> None:
    op.get_bind().exec_driver_sql(sql)
