"""Which withdrawals custody has paid on L1."""

from alembic import op

from bulkhead.node.store.tables import claims, operations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INDICES = ("operations_by_sequence", "operations_of_recipient")


def upgrade() -> None:
    """Make table and indices, unless they were made with the first ones."""
    claims.create(op.get_bind(), checkfirst=True)
    for index in operations.indexes:
        if index.name in INDICES:
            index.create(op.get_bind(), checkfirst=True)


def downgrade() -> None:
    """Drop them."""
    for name in INDICES:
        op.drop_index(name, "operations")
    claims.drop(op.get_bind(), checkfirst=True)
