"""The few statements that differ between dialects, in one place."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Insert, Table, any_, bindparam
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[Any]]
Changes = Callable[[Columns], Mapping[str, ColumnElement[Any]]]
"""Given the columns of the row that was to be inserted: what the stored row's columns become."""

KEYS_AT_ONCE = 500
"""Keys in one look-up: far below every database's limit on parameters."""


def insert_if_absent(connection: AsyncConnection, table: Table, key: Sequence[str]) -> Insert:
    """An insert that leaves the stored row alone when the key is there. Any other broken rule is still an error."""
    match connection.dialect.name:
        case "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing(index_elements=key)
        case "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing(index_elements=key)
        case _:
            # INSERT IGNORE would turn data errors into warnings; this one changes nothing.
            return mysql.insert(table).on_duplicate_key_update({key[0]: table.c[key[0]]})


def upsert(connection: AsyncConnection, table: Table, key: Sequence[str], changes: Changes) -> Insert:
    """An insert that updates the stored row when the key is there."""
    match connection.dialect.name:
        case "postgresql":
            pg = postgresql.insert(table)
            return pg.on_conflict_do_update(index_elements=key, set_=dict(changes(pg.excluded)))
        case "sqlite":
            lite = sqlite.insert(table)
            return lite.on_conflict_do_update(index_elements=key, set_=dict(changes(lite.excluded)))
        case _:
            my = mysql.insert(table)
            return my.on_duplicate_key_update(dict(changes(my.inserted)))


def replacing(*columns: str) -> Changes:
    """These columns take the new row's values."""
    return lambda new: {column: new[column] for column in columns}


def among(connection: AsyncConnection, column: ColumnElement[Any], keys: Collection[Any]) -> ColumnElement[bool]:
    """Whether the column is one of the keys.

    PostgreSQL gets one array, so that a statement is prepared once and not once per number of keys.
    """
    if connection.dialect.name == "postgresql":
        array = bindparam(None, list(keys), type_=postgresql.ARRAY(column.type))
        return column == any_(array)
    return column.in_(list(keys))
