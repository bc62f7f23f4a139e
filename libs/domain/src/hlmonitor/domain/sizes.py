"""How much of its account a wallet puts into a leg, in the three words of the original's README."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

SMALL_BELOW_PERCENT = Decimal(5)
MEDIUM_BELOW_PERCENT = Decimal(20)


class PositionSize(StrEnum):
    """The words as consumers read them."""

    SMALL = "Small"
    MEDIUM = "Medium"
    LARGE = "Large"


@dataclass(frozen=True, slots=True)
class SizeBounds:
    """Where one word ends and the next begins, in percent of the account's value. A bound itself is the larger word."""

    small_below: Decimal = SMALL_BELOW_PERCENT
    medium_below: Decimal = MEDIUM_BELOW_PERCENT

    def size_of(self, position_rate: Decimal | None) -> PositionSize | None:
        """The word for a rate in percent; None when the rate is unknown."""
        if position_rate is None:
            return None
        if position_rate < self.small_below:
            return PositionSize.SMALL
        return PositionSize.MEDIUM if position_rate < self.medium_below else PositionSize.LARGE
