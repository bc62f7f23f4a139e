"""What makes a wallet's silence be looked into: when its feeds were last read, and what is due (DESIGN G5).

Nothing of a feed says that it is silent because it is broken. So every wallet's fills are read over REST in turn, from
the watermark on, whether anything is in doubt or not; and what was asked for and did not come is asked for again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hlmonitor.aggregator.core.standings import Standings
from hlmonitor.domain.addresses import Address
from hlmonitor.v1.events_pb2 import DexState

ROUTINE_S = 600.0
"""A wallet without doubts is read this often: ten wallets then take about a tenth of an IP's REST weight."""
MANY_FILLS = 1_000
"""After so many fills it is read sooner: the venue keeps only so many, and a page has 2000."""
LEAST_S = 30.0
"""But not sooner than this after the last time."""
GAP_AGAIN_S = 60.0
"""A gap that is still open is asked for again this often: a request has no answer that could be missed."""
DIFFER_S = 15.0
"""Positions of a wallet that differ again are looked into at most this often."""
OVERLAP_MS = 10_000
"""Rows are read from so long before the watermark: REST may have been late when it was set."""


@dataclass(slots=True)
class Vigil:
    """Of one wallet."""

    standings: Standings = field(default_factory=Standings)
    fills: int = 0
    """New ones since the last routine look."""
    unserved_since_s: float | None = None
    """Since when what happened may be on its way from nobody, monotonic: the gateway that served the wallet was lost,
    or a new owner loaded it. None once one has caught up, or when there was none before."""
    _frames: dict[str, DexState] = field(default_factory=dict)
    """By dex: the positions that were told last, and not yet compared."""
    _unread: set[int] | None = None
    """Feeds that the gateway has not caught up with since it opened them; None: no gateway serves the wallet."""
    _looked_s: float | None = None
    _gap_asked_s: float | None = None
    _differed_s: float = float("-inf")

    def opened(self, feeds: Iterable[int]) -> None:
        """A gateway serves the wallet; what it has caught up with already stays so until it tells a gap."""
        if self._unread is None:
            self._unread = set(feeds)
        self._note_served()

    def caught_up(self, feed: int) -> None:
        """Everything of a feed was forwarded."""
        if self._unread:
            self._unread.discard(feed)
        self._note_served()

    def told(self, state: DexState) -> None:
        """The venue told all positions of a dex."""
        self._frames[state.dex] = state

    def take_frames(self) -> list[DexState]:
        """What was told since the last call."""
        frames = list(self._frames.values())
        self._frames.clear()
        return frames

    def lost(self) -> None:
        """The gateway tells that it has lost the feeds: it will open them again."""
        self._unread = None
        self.standings.forget_doubts()

    def lost_gateway(self, now_s: float) -> None:
        """No gateway's stream brings the wallet's events any more, or none does yet: one will open them again."""
        self.lost()
        if self.unserved_since_s is None:
            self.unserved_since_s = now_s

    @property
    def is_served(self) -> bool:
        """A gateway streams the wallet, and has caught up."""
        return self._unread is not None and not self._unread

    def _note_served(self) -> None:
        if self.is_served:
            self.unserved_since_s = None

    def is_routine_due(self, address: Address, every_s: float, now_s: float) -> bool:
        """Whether to look now. Wallets that are served from one moment on are looked at one after the other."""
        if not self.is_served:
            return False
        if self._looked_s is None:
            self._looked_s = now_s - every_s * (1 - _phase(address))
        waited_s = now_s - self._looked_s
        is_due = waited_s >= every_s or (self.fills >= MANY_FILLS and waited_s >= LEAST_S)
        if is_due:
            self._looked_s, self.fills = now_s, 0
        return is_due

    def is_gap_due(self, now_s: float) -> bool:
        """Whether to ask again for what an open gap lacks."""
        if not self.is_served:
            return False
        is_due = self._gap_asked_s is not None and now_s - self._gap_asked_s >= GAP_AGAIN_S
        if is_due or self._gap_asked_s is None:
            self._gap_asked_s = now_s
        return is_due

    def no_gap(self) -> None:
        """Nothing is asked for any more."""
        self._gap_asked_s = None

    def may_differ(self, now_s: float) -> bool:
        """Whether differences of positions are worth a look again."""
        return self.is_served and now_s - self._differed_s >= DIFFER_S

    def differed(self, now_s: float) -> None:
        """They were looked into."""
        self._differed_s = now_s


def _phase(address: Address) -> float:
    return int(address[2:10], 16) / (1 << 32)
