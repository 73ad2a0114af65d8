"""What all tables share."""

from sqlalchemy import CheckConstraint, MetaData, String

# Names of constraints that do not depend on the database, for migrations to find them by.
metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

# What an amount is written as: it can be larger than any integer of a database.
Amount = String(160)


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Let a column hold only the values that are known: words of this program."""
    # Not "in (...)": SQLite builds a table of the list for each row that it checks.
    words = " or ".join(f"{column} = '{value}'" for value in values)
    return CheckConstraint(words, name=f"{column}_is_known")
