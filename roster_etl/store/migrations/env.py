"""The Alembic environment, run for every migration on the connection that ``store.warehouse.schema`` passes."""

from alembic import context

from roster_etl.canonical.sql_types import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot alter a column in place
    transaction_per_migration=False,
)
context.run_migrations()
