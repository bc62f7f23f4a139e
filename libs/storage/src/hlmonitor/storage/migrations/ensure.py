"""Steps of a revision that look before they act."""

from sqlalchemy import Column, Connection, Table, inspect, text
from sqlalchemy.schema import CreateColumn

from hlmonitor.storage.original import SIGNAL_VIEW, SIGNAL_VIEW_QUERY


def ensure_table(connection: Connection, table: Table) -> None:
    """Create the table, or give the one that is there the columns and indexes that it lacks.

    Unique constraints of the model are not put on a table that is there: its data may break them.
    """
    if not inspect(connection).has_table(table.name):
        table.create(connection)
        return
    ensure_columns(connection, table)
    ensure_indexes(connection, table)


def ensure_columns(connection: Connection, table: Table) -> None:
    """Add the columns that are missing; those without default must be nullable."""
    present = {column["name"].lower() for column in inspect(connection).get_columns(table.name)}
    for column in table.columns:
        if column.name.lower() not in present:
            connection.execute(text(f"ALTER TABLE {table.name} ADD COLUMN {_definition(connection, column)}"))


def ensure_indexes(connection: Connection, table: Table) -> None:
    """Add the indexes that are missing, by name and by columns."""
    inspector = inspect(connection)
    indexes = inspector.get_indexes(table.name)
    names = {index["name"] for index in indexes}
    covered = {tuple(index["column_names"]) for index in indexes}
    for index in table.indexes:
        if index.name not in names and tuple(column.name for column in index.columns) not in covered:
            index.create(connection)


def ensure_signal_view(connection: Connection) -> None:
    """Make the view of the signals as the model says, in the place of an older one."""
    inspector = inspect(connection)
    if SIGNAL_VIEW in inspector.get_view_names():
        connection.execute(text(f"DROP VIEW {SIGNAL_VIEW}"))
    elif inspector.has_table(SIGNAL_VIEW):
        # An older version of the original had a table of this name. It keeps it.
        return
    connection.execute(text(f"CREATE VIEW {SIGNAL_VIEW} AS {SIGNAL_VIEW_QUERY}"))


def type_of(connection: Connection, table: str, column: str) -> str:
    """The column's type as the database writes it, in capitals."""
    for described in inspect(connection).get_columns(table):
        if described["name"] == column:
            return str(described["type"]).upper()
    raise LookupError(f"{table} has no column {column}")


def _definition(connection: Connection, column: Column[object]) -> str:
    return str(CreateColumn(column).compile(dialect=connection.dialect))
