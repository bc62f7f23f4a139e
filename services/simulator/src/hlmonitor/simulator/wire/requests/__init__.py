"""Requests of `/info`: one type each, told apart by `type`; a module per topic, which ends with its union."""

from __future__ import annotations

from typing import Final

import msgspec

from .accounts import AccountInfo
from .base import Address, Info
from .fills import FillInfo
from .listings import ListingInfo
from .orders import OrderInfo
from .prices import PriceInfo

__all__ = ["UNREADABLE", "Address", "AnyInfo", "Info", "UnreadableRequestError", "read_request"]

UNREADABLE: Final = "Failed to deserialize the JSON body into the target type"

AnyInfo = ListingInfo | PriceInfo | AccountInfo | OrderInfo | FillInfo

_decoder: Final = msgspec.json.Decoder(AnyInfo)


class UnreadableRequestError(ValueError):
    """A request body that the venue would answer with 422."""


def read_request(body: bytes) -> AnyInfo:
    """Read a request; raise UnreadableRequestError."""
    try:
        request: AnyInfo = _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise UnreadableRequestError(UNREADABLE) from error
    return request
