"""What gateways tell of orders, checked and ready to be taken in."""

from dataclasses import dataclass
from decimal import Decimal

from hlmonitor.domain.addresses import Address
from hlmonitor.domain.fills import Fill, FillDigest
from hlmonitor.domain.orders import Kind, OrderId, OrderRef, twap_ref


@dataclass(frozen=True, slots=True)
class FillInput:
    """A fill with what identifies it and its order."""

    fill: Fill
    raw: bytes
    """The serialized Fill as it came: what the writer stores."""
    digest: FillDigest
    ref: OrderRef
    order_id: OrderId


@dataclass(frozen=True, slots=True)
class StatusInput:
    """A status of an order, or of a TWAP when `twap_id` is set."""

    address: Address
    coin: str
    oid: int
    twap_id: int | None
    status: str
    orig_sz: Decimal
    remaining_sz: Decimal
    order_time_ms: int
    status_time_ms: int
    cloid: str | None = None

    @property
    def filled(self) -> Decimal:
        """What the order has executed, in coin units."""
        return self.orig_sz - self.remaining_sz

    @property
    def ref(self) -> OrderRef:
        """The order that it speaks of."""
        if self.twap_id is not None:
            return twap_ref(self.address, self.coin, self.twap_id)
        return OrderRef(self.address, self.coin, self.oid, Kind.ORDER)
