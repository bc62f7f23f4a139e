"""Create everything, or adopt what the original left (auto-migrated, or made by its init.sql).

Revision ID: 0001
Revises:
"""

from alembic import op
from sqlalchemy import Connection, Table, inspect, text

from hlmonitor.storage.migrations.ensure import ensure_signal_view, ensure_table, type_of
from hlmonitor.storage.tables import metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# init.sql's types are narrower than what the venue sends (statuses of up to 40 letters, sums beyond ten digits). The
# original's own start would widen them to exactly these.
_WIDENED = {
    "total_size": ("NOT NULL DEFAULT 0", "double precision"),
    "weighted_avg_px": ("NOT NULL DEFAULT 0", "double precision"),
    "order_status": ("NOT NULL DEFAULT 'open'", "varchar(64)"),
}

_NUMBER = r"'^-?[0-9]{1,15}([.][0-9]+)?%?$'"
_SET_ASIDE = "UPDATE hl_address_signals SET position_rate_text = position_rate, position_rate = '0' WHERE"
_RATE_STEPS = {
    "mysql": (
        f"{_SET_ASIDE} position_rate NOT REGEXP {_NUMBER}",
        "UPDATE hl_address_signals SET position_rate = TRIM(TRAILING '%' FROM position_rate)",
        "ALTER TABLE hl_address_signals MODIFY COLUMN position_rate decimal(18,3) NOT NULL",
    ),
    "postgresql": (
        f"{_SET_ASIDE} position_rate !~ {_NUMBER}",
        (
            "ALTER TABLE hl_address_signals ALTER COLUMN position_rate TYPE decimal(18,3)"
            " USING CAST(rtrim(position_rate, '%') AS decimal(18,3))"
        ),
    ),
    # A column of SQLite takes numbers whatever its type says.
    "sqlite": (
        f"{_SET_ASIDE} rtrim(position_rate, '%') GLOB '*[^0-9.-]*'",
        "UPDATE hl_address_signals SET position_rate = rtrim(position_rate, '%')",
    ),
}
"""Per dialect: texts that are no number are set aside, then numbers are made of the others."""


def upgrade() -> None:
    connection = op.get_bind()
    original = {"hl_order_aggregation", "hl_address_signals"}
    adopted = original & set(inspect(connection).get_table_names())
    if "hl_order_aggregation" in adopted:
        _widen(connection, metadata.tables["hl_order_aggregation"])
    if "hl_address_signals" in adopted:
        _make_rate_a_number(connection)
    for table in metadata.sorted_tables:
        ensure_table(connection, table)
    ensure_signal_view(connection)


def _widen(connection: Connection, table: Table) -> None:
    for column, (words, wanted) in _WIDENED.items():
        if type_of(connection, table.name, column).startswith(wanted.split(" ")[0].upper()):
            continue
        match connection.dialect.name:
            case "mysql":
                connection.execute(text(f"ALTER TABLE {table.name} MODIFY COLUMN {column} {wanted} {words}"))
            case "postgresql":
                connection.execute(text(f"ALTER TABLE {table.name} ALTER COLUMN {column} TYPE {wanted}"))
            case _:
                # SQLite holds whatever it is given.
                pass


def _make_rate_a_number(connection: Connection) -> None:
    """init.sql holds position_rate as text, "15.50%"; what is no number is kept in position_rate_text."""
    table = "hl_address_signals"
    if "CHAR" not in type_of(connection, table, "position_rate"):
        return
    if "position_rate_text" not in {column["name"] for column in inspect(connection).get_columns(table)}:
        connection.execute(text(f"ALTER TABLE {table} ADD COLUMN position_rate_text varchar(16) NULL"))
    steps = _RATE_STEPS[connection.dialect.name]
    for step in steps:
        connection.execute(text(step))
