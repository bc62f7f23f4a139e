"""Keep in SQL how each wallet is watched, so that losing NATS' disk moves no wallet's beginning.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

from hlmonitor.storage.migrations.ensure import ensure_table
from hlmonitor.storage.tables import hl_watch_entry

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    ensure_table(op.get_bind(), hl_watch_entry)
