"""Alembic's entry: runs the changes over the connection that the database hands in."""

from alembic import context

from bulkhead.node.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
