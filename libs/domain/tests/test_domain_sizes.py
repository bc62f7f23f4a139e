from decimal import Decimal

import pytest

from hlmonitor.domain.sizes import PositionSize, SizeBounds


@pytest.mark.parametrize(
    ("rate", "size"),
    [
        ("0", PositionSize.SMALL),
        ("4.999999999", PositionSize.SMALL),
        ("5", PositionSize.MEDIUM),
        ("19.999999999", PositionSize.MEDIUM),
        ("20", PositionSize.LARGE),
        ("250", PositionSize.LARGE),
    ],
)
def test_a_bound_belongs_to_the_larger_word(rate: str, size: PositionSize) -> None:
    assert SizeBounds().size_of(Decimal(rate)) is size


def test_an_unknown_rate_has_no_size() -> None:
    assert SizeBounds().size_of(None) is None


def test_bounds_can_be_chosen() -> None:
    assert SizeBounds(Decimal("0.5"), Decimal(1)).size_of(Decimal("0.7")) is PositionSize.MEDIUM
