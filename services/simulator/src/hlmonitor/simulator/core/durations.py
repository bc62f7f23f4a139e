"""Lengths of time in milliseconds. All of the venue's time is UTC, so hours and days begin at multiples of them."""

from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
