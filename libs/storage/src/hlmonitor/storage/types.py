"""Column types: exact amounts, the original's narrower numbers, local times, digests and raw JSON."""

from datetime import datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, LargeBinary, Numeric, String, Text, TypeDecorator
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine, UserDefinedType

from hlmonitor.storage.errors import DataRejectedError

AMOUNT_PRECISION = 38
AMOUNT_SCALE = 18
DIGEST_BYTES = 16

_CONTEXT = Context(prec=80, rounding=ROUND_HALF_EVEN)


class Amount(TypeDecorator[Decimal]):
    """A price, size or sum: decimal(38,18), in SQLite text; rounded half-even to 18 decimals.

    Binding raises DataRejectedError for what is not finite or has more than 20 digits before the point.
    """

    impl = Numeric(AMOUNT_PRECISION, AMOUNT_SCALE)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no exact number type, so there it is text."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(AMOUNT_PRECISION + 2))
        return dialect.type_descriptor(Numeric(AMOUNT_PRECISION, AMOUNT_SCALE))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401 SQLAlchemy's signature
        """Round, check the range, and hand over what the dialect stores."""
        if value is None:
            return None
        if not value.is_finite():
            raise DataRejectedError(f"the amount {value} is not a finite number")
        rounded = _CONTEXT.quantize(value, Decimal(1).scaleb(-AMOUNT_SCALE))
        if abs(rounded) >= Decimal(10) ** (AMOUNT_PRECISION - AMOUNT_SCALE):
            raise DataRejectedError(f"the amount {value} has more than 20 digits before the point")
        return format(rounded, "f") if dialect.name == "sqlite" else rounded

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002 SQLAlchemy's
        """Always a Decimal."""
        return None if value is None else Decimal(value)


class LegacyNumber(TypeDecorator[Decimal]):
    """A decimal column of the original: rounded half-even, and held at the column's bound when it does not fit.

    These columns are for people and old consumers, the exact value is in the signal's payload: a whale in a coin of
    tiny units must not lose its signal because the original's column is narrow.
    """

    impl = Numeric
    cache_ok = True

    def __init__(self, precision: int, scale: int) -> None:
        super().__init__(precision, scale)
        self._precision, self._scale = precision, scale
        self._bound = Decimal(10) ** (precision - scale) - Decimal(1).scaleb(-scale)

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """SQLite has no exact number type, so there it is text."""
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(self._precision + 2))
        return super().load_dialect_impl(dialect)

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:  # noqa: ANN401 SQLAlchemy's signature
        """Round and hold at the bound."""
        if value is None:
            return None
        if not value.is_finite():
            raise DataRejectedError(f"{value} is not a finite number")
        held = max(-self._bound, min(self._bound, value))
        rounded = _CONTEXT.quantize(held, Decimal(1).scaleb(-self._scale))
        return format(rounded, "f") if dialect.name == "sqlite" else rounded

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:  # noqa: ANN401, ARG002 SQLAlchemy's
        """Always a Decimal."""
        return None if value is None else Decimal(value)


class LocalTime(TypeDecorator[int]):
    """Milliseconds since the epoch, held like the original's: local time of the process, to the millisecond."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """datetime(3) and its like."""
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.DATETIME(fsp=3))
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.TIMESTAMP(precision=3))
        return dialect.type_descriptor(sqlite.DATETIME())  # type: ignore[no-untyped-call]

    def process_bind_param(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 SQLAlchemy's
        """Milliseconds to local time without zone."""
        if value is None:
            return None
        seconds, milliseconds = divmod(value, 1000)
        # Without a zone on purpose: the original's columns hold local time (its DSN says loc=Local).
        return datetime.fromtimestamp(seconds).replace(microsecond=milliseconds * 1000)  # noqa: DTZ006

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 SQLAlchemy's
        """Local time without zone to milliseconds."""
        return None if value is None else round(value.timestamp() * 1000)


class RawJson(UserDefinedType[str]):
    """JSON text as it is: never parsed, so never rounded or reordered by us."""

    cache_ok = True

    def get_col_spec(self, **_options: object) -> str:
        """The name is the same in every dialect."""
        return "JSON"


Id = BigInteger().with_variant(Integer(), "sqlite").with_variant(mysql.BIGINT(unsigned=True), "mysql")
"""The original's `bigint unsigned` key; SQLite numbers only INTEGER keys by itself."""
SignedId = BigInteger().with_variant(Integer(), "sqlite")
Digest = LargeBinary(DIGEST_BYTES).with_variant(mysql.BINARY(DIGEST_BYTES), "mysql")
Body = LargeBinary().with_variant(mysql.LONGBLOB(), "mysql")
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql")


def name(length: int) -> TypeEngine[str]:
    """Text that is compared byte by byte: coins and ids differ by case, which MySQL's default would not see."""
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(exact, "mysql")
