"""What the cleaner can be told."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from hlmonitor.runtime.settings import Duration, ServiceSettings
from hlmonitor.storage import checked_url

HOUR_S = 3600.0
DAY_S = 86400.0


class CleanerSettings(ServiceSettings):
    """Settings of the cleaner."""

    database_url: Annotated[str, AfterValidator(checked_url)] = Field(
        "sqlite+aiosqlite:///.run/hlmonitor.db",
        description="SQLAlchemy URL of the database: sqlite, postgresql, or mysql (MariaDB)",
    )
    every: Duration = Field(0.0, description="clean again and again, this long after the last time; 0: once, then end")
    retry: Duration = Field(2.0, description="wait after a round that failed")
    orders_after: Duration = Field(
        2 * HOUR_S, description="rows of finished orders go when unchanged for so long; the original's by age alone"
    )
    dedup_horizon: Duration = Field(
        6 * DAY_S, description="fills younger than this may come again and must be known: as the aggregator is told"
    )
    rest_after: Duration = Field(
        8 * DAY_S,
        ge=7 * DAY_S,
        validate_default=True,
        description="fills, statuses and signals go when so old and their order's rows are gone; "
        "at least as long as the signal stream keeps its messages, and longer than `HLMON_DEDUP_HORIZON`",
    )
    most_signals: int = Field(500_000, ge=0, description="above so many signal rows the oldest go, if old enough")
    excess_after: Duration = Field(
        8 * DAY_S, description="old enough for that; younger ones stay, and the alert metric counts what is too much"
    )
    step_rows: int = Field(1000, ge=1, le=1000, description="most rows in one transaction")
    transaction_timeout: Duration = Field(30.0, description="a step that takes longer is given up; the run then fails")

    @field_validator("rest_after")
    @classmethod
    def _is_above_horizon(cls, value: float, info: ValidationInfo) -> float:
        horizon_s = info.data.get("dedup_horizon")
        if horizon_s is not None and value <= horizon_s:
            raise ValueError(
                f"must be longer than dedup_horizon, which is {horizon_s:g} s: a fill that comes again after it is "
                "forgotten here would be told twice"
            )
        return value
