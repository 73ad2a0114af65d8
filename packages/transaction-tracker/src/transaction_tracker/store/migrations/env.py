"""The Alembic environment: uses the connection that the store has opened and owns."""

from alembic import context

from transaction_tracker.store.schema import metadata

# DDL is transactional on SQLite too, because the driver does not begin transactions of its own.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
