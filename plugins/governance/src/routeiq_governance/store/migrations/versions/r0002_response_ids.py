"""The provider's id of its answer beside each ledger entry: LiteLLM's clients look spend up by it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and its index."""
    op.add_column("routeiq_ledger_entries", sa.Column("response_id", sa.String(), nullable=True))
    op.create_index("ix_routeiq_ledger_entries_response_id", "routeiq_ledger_entries", ["response_id"], unique=False)
