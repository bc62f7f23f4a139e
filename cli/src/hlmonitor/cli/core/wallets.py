"""Wallets from a file: one address per line, or CSV `address,label`."""

import csv
from collections.abc import Iterable
from typing import NamedTuple

from hlmonitor.domain.addresses import Address, AddressError, parse_address

LABEL_LENGTH = 64
"""As long as the database's column."""


class Wallet(NamedTuple):
    """A wallet to watch."""

    address: Address
    label: str = ""


class BadLine(NamedTuple):
    """A line that names no wallet."""

    number: int
    reason: str


class Wallets(NamedTuple):
    """What a file held."""

    good: list[Wallet]
    bad: list[BadLine]


def read_wallets(lines: Iterable[str]) -> Wallets:
    """The wallets of a file, each once, and the lines (counted from 1) that name none.

    Empty lines, lines that begin with `#` and a heading `address,…` are skipped.
    """
    good: dict[Address, Wallet] = {}
    bad: list[BadLine] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip().removeprefix("\ufeff")
        if not text or text.startswith("#") or (number == 1 and text.lower().split(",")[0] == "address"):
            continue
        try:
            wallet = _read(text)
        except (AddressError, csv.Error) as error:
            bad.append(BadLine(number, str(error)))
        else:
            good.setdefault(wallet.address, wallet)
    return Wallets(list(good.values()), bad)


def _read(line: str) -> Wallet:
    (cells,) = csv.reader([line])
    label = cells[1].strip() if len(cells) > 1 else ""
    return Wallet(parse_address(cells[0]), label[:LABEL_LENGTH])
