"""How a recording goes, in a line."""

from dataclasses import dataclass, field

_MIB = 1 << 20


@dataclass(slots=True)
class Progress:
    """Counts of one run. Times are monotonic seconds."""

    started: float
    connections: int
    subscriptions: int
    open: int = 0
    frames: int = 0
    answers: int = 0
    """Of `/info`."""
    reconnects: int = 0
    lost: int = 0
    file_bytes: int = 0
    standing: dict[int, int] = field(default_factory=dict)
    """Subscriptions that stand, by connection."""
    refused: dict[str, str] = field(default_factory=dict)
    """What the venue does not serve, and its words."""
    problem: str = ""
    """What goes wrong with the venue now; empty when nothing does."""
    disk_problem: str = ""


def progress_text(progress: Progress, now: float) -> str:
    """The line."""
    elapsed = max(now - progress.started, 0.001)
    hours, rest = divmod(int(elapsed), 3600)
    parts = [
        f"{hours}:{rest // 60:02}:{rest % 60:02}",
        f"{progress.open}/{progress.connections} connections",
        f"{sum(progress.standing.values())}/{progress.subscriptions} subscriptions",
        f"{progress.frames:,} frames ({progress.frames / elapsed:,.0f}/s)",
        f"{progress.file_bytes / _MIB:,.1f} MiB",
    ]
    if progress.reconnects:
        parts.append(f"{progress.reconnects} reconnects")
    if progress.refused:
        parts.append(f"{len(progress.refused)} refused")
    if progress.lost:
        parts.append(f"{progress.lost:,} lines LOST")
    parts += filter(None, (progress.problem, progress.disk_problem))
    return "  ".join(parts)
