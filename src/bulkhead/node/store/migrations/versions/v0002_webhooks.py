"""Where accounts want to be told of margin calls."""

from alembic import op

from bulkhead.node.store.tables import webhooks

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, unless it was among the first ones: those are made as they are now."""
    webhooks.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop it."""
    webhooks.drop(op.get_bind(), checkfirst=True)
