"""Signal numbers are dense per wallet, so that a consumer can prove that it missed none."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

FIRST_NUMBER = 1


@dataclass(frozen=True, slots=True)
class NumberedSignal:
    """A signal of a batch, in the batch's order."""

    signal_id: str
    address: str
    number: int


@dataclass(frozen=True, slots=True)
class NumberMismatch:
    """A new signal whose number is not the next of its wallet: its owner's state is wrong."""

    signal: NumberedSignal
    expected: int


def next_numbers(
    signals: Iterable[NumberedSignal], stored_ids: Collection[str], counters: Mapping[str, int]
) -> dict[str, int] | NumberMismatch:
    """The counters after these signals, of wallets with a new one; or the first signal that breaks the rule.

    A wallet without a counter begins at 1. Signals that are stored count no further.
    """
    raised: dict[str, int] = {}
    for signal in sorted(signals, key=lambda item: (item.address, item.number)):
        if signal.signal_id in stored_ids:
            continue
        expected = raised.get(signal.address, counters.get(signal.address, FIRST_NUMBER))
        if signal.number != expected:
            return NumberMismatch(signal, expected)
        raised[signal.address] = expected + 1
    return raised
