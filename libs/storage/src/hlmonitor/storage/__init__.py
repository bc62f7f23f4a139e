"""Storage in SQL: tables, engine, data access objects and migrations, for SQLite, PostgreSQL and MySQL/MariaDB.

Only what is here knows SQL or a dialect. No rule about trading lives here and nothing here decides what is committed:
the data access objects take rows and give rows.
"""

from hlmonitor.storage.database import Database, checked_url
from hlmonitor.storage.errors import DataRejectedError, StorageError, WatchListError, is_data_error

__all__ = ["DataRejectedError", "Database", "StorageError", "WatchListError", "checked_url", "is_data_error"]
