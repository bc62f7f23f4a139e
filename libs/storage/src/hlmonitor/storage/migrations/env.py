"""Alembic's entry: runs the revisions on the connection that `migrate` opened and locked."""

from alembic import context

from hlmonitor.storage.migrate import VERSION_TABLE
from hlmonitor.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # The original's schema may be shared with programs that have an alembic_version of their own.
    version_table=VERSION_TABLE,
    transactional_ddl=False,
)
context.run_migrations()
