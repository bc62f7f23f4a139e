"""Counts frames; those that cannot be used are counted by reason and shown in the log, a sample of them."""

import time
from dataclasses import dataclass, field

from hlmonitor.runtime.logs import Log
from hlmonitor.runtime.metrics import Metrics
from hlmonitor.venue.core import frames

_SAMPLE_EVERY_S = 10.0


@dataclass(slots=True)
class FrameCounter:
    """One for all connections, so that a flood of bad frames gives few log lines."""

    metrics: Metrics
    log: Log
    _shown: dict[str, float] = field(default_factory=dict)

    def count(self, frame: frames.Frame) -> None:
        """Count a frame."""
        match frame:
            case frames.Rows():
                self._received(frame.channel)
                if isinstance(frame, frames.OrderUpdates):
                    self.metrics.order_updates_received_total.inc(len(frame.rows))
                if frame.rejected:
                    self.rejected("bad_row", len(frame.rejected), channel=frame.channel, sample=frame.rejected[0])
            case frames.PerpStates():
                self._received("allDexsClearinghouseState")
            case frames.SpotState():
                self._received("spotState")
            case frames.AccountMode():
                self._received("webData3")
            case frames.UnknownChannel(channel):
                self.rejected("unknown_channel", 1, sample=channel[:64])
            case frames.Malformed(reason, sample):
                self.rejected("malformed", 1, detail=reason, sample=sample)
            case frames.ErrorFrame(text):
                self._received("error")
                self.log.warning("venue_complains", text=text)
            case _:
                self._received("protocol")

    def rejected(self, reason: str, count: int, **fields: str) -> None:
        """Count what could not be used."""
        self.metrics.frames_rejected_total.labels(reason).inc(count)
        now = time.monotonic()
        if now - self._shown.get(reason, -_SAMPLE_EVERY_S) >= _SAMPLE_EVERY_S:
            self._shown[reason] = now
            self.log.warning("frame_rejected", reason=reason, **fields)

    def _received(self, channel: str) -> None:
        self.metrics.frames_received_total.labels(channel).inc()
