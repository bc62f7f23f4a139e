"""What can go wrong in storage, and which of it is the data's fault.

StorageError
├── DataRejectedError   a row that no database can take: sending it again cannot help
└── WatchListError      the watch list cannot be read or changed as asked
"""

from sqlalchemy.exc import DBAPIError, StatementError

_DATA_CLASSES = ("22", "23")
# MySQL's driver hands over error numbers without SQLSTATE; these are of class 22 and 23, or say that a value does not
# fit.
_MYSQL_DATA_ERRORS = frozenset(
    {1048, 1062, 1169, 1216, 1217, 1264, 1265, 1292, 1365, 1366, 1367, 1406, 1411, 1416, 1451, 1452}
    | {1557, 1586, 1690, 1761, 1762, 3140, 3141, 3143, 3144, 3146, 3819, 4025}
)
_SQLITE_DATA_ERRORS = frozenset({"SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG", "SQLITE_RANGE"})


class StorageError(Exception):
    """Anything that storage itself raises."""


class DataRejectedError(StorageError, ValueError):
    """A row that no database can take. The message says which value and why."""


class WatchListError(StorageError):
    """The watch list cannot be read or changed as asked."""


def is_data_error(error: BaseException) -> bool:
    """Whether the data is to blame (SQLSTATE class 22 or 23, or what says the same in a dialect without SQLSTATE).

    Everything else (deadlock, timeout, a lost connection, a missing table) may pass, so the same statements are tried
    again.
    """
    if isinstance(error, DataRejectedError):
        return True
    if isinstance(error, DBAPIError):
        return not error.connection_invalidated and _driver_blames_data(error.orig)
    if isinstance(error, StatementError):
        # A value that could not be bound: nothing was sent.
        return isinstance(error.orig, ValueError | TypeError | ArithmeticError)
    # SQLite's driver raises these bare for integers beyond 64 bits and for text that is not UTF-8.
    return isinstance(error, OverflowError | UnicodeError)


def _driver_blames_data(error: BaseException | None) -> bool:
    if error is None:
        return False
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state.startswith(_DATA_CLASSES)
    name = getattr(error, "sqlite_errorname", None)
    if isinstance(name, str):
        return any(name.startswith(prefix) for prefix in _SQLITE_DATA_ERRORS)
    if isinstance(error.__cause__, ValueError):
        # asyncpg refuses a value before it sends it, with an error that has no SQLSTATE.
        return True
    return bool(error.args) and error.args[0] in _MYSQL_DATA_ERRORS
