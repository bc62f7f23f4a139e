"""Requests of `/info`: one type each, told apart by `type`; a module per topic, which ends with its union."""

from __future__ import annotations

from typing import Final

import msgspec

from .accounts import AccountInfo
from .base import Info
from .fees import FeeInfo
from .fills import FillInfo
from .ledger import LedgerInfo
from .listings import ListingInfo
from .orders import OrderInfo
from .prices import PriceInfo
from .roles import RoleInfo
from .staking import StakingInfo
from .status import StatusInfo
from .vaults import VaultInfo

__all__ = ["NOT_JSON", "UNREADABLE", "AnyInfo", "Info", "UnreadableRequestError", "read_request"]

UNREADABLE: Final = "Failed to deserialize the JSON body into the target type"
NOT_JSON: Final = "Failed to parse the request body as JSON"

AnyInfo = (
    ListingInfo
    | PriceInfo
    | AccountInfo
    | RoleInfo
    | OrderInfo
    | FillInfo
    | LedgerInfo
    | FeeInfo
    | StakingInfo
    | StatusInfo
    | VaultInfo
)

_decoder: Final = msgspec.json.Decoder(AnyInfo)


class UnreadableRequestError(ValueError):
    """A request body that the venue refuses, with the HTTP status that it gives.

    422 and its text are the venue's. They are those of its web framework, and so it is an assumption that it answers
    what is not JSON at all as that framework does: with 400.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def read_request(body: bytes) -> AnyInfo:
    """Read a request; raise UnreadableRequestError."""
    try:
        request: AnyInfo = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise UnreadableRequestError(422, UNREADABLE) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableRequestError(400, NOT_JSON) from error
    return request
