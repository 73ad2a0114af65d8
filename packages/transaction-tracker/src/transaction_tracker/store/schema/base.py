"""Definitions that all tables share."""

from sqlalchemy import CheckConstraint, MetaData, String

# Constraint names that are the same in each database, so that migrations can find them.
metadata: MetaData = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(constraint_name)s",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

# Amounts are stored as text: they can be larger than any integer type of a database.
Amount: String = String(160)


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    """Return a constraint that allows only known values, which are words of this program."""
    # Not "in (...)": SQLite builds a table of the list for each row that it checks.
    words = " or ".join(f"{column} = '{value}'" for value in values)
    return CheckConstraint(words, name=f"{column}_is_known")
