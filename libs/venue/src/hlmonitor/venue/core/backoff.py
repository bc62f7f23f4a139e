"""How long to wait before the next attempt."""

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Doubles from `initial_s` to `most_s`; each delay is spread over its upper half by a jitter from 0 to 1."""

    initial_s: float = 1.0
    most_s: float = 30.0
    _attempts: int = 0

    def next_delay(self, jitter: float) -> float:
        """Seconds to wait after one more failure."""
        whole = min(self.initial_s * 2.0 ** min(self._attempts, 16), self.most_s)
        self._attempts += 1
        return whole * (0.5 + 0.5 * jitter)

    def succeeded(self) -> None:
        """The attempt did its work: the next failure starts anew."""
        self._attempts = 0
