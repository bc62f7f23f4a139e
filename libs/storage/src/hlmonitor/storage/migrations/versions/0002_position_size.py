"""Give signals their position_size, and let the view show it.

Revision ID: 0002
Revises: 0001
"""

from alembic import op
from sqlalchemy import text

from hlmonitor.storage.migrations.ensure import ensure_columns, ensure_signal_view
from hlmonitor.storage.original import SIZE_OF_RATE, hl_address_signals

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# 100 is what the rate's column says when the account's value was unknown: such a signal has no size.
_SIZE_OLD_SIGNALS = f"""
UPDATE hl_address_signals SET position_size = {SIZE_OF_RATE}
WHERE signal_id IS NOT NULL AND position_size IS NULL AND position_rate + 0 <> 100
"""  # noqa: S608 put together from constants


def upgrade() -> None:
    connection = op.get_bind()
    ensure_columns(connection, hl_address_signals)
    connection.execute(text(_SIZE_OLD_SIGNALS))
    ensure_signal_view(connection)
