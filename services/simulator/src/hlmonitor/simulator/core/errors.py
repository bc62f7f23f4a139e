"""What the exchange raises when it is asked for something that it will not do."""

from __future__ import annotations


class RefusedError(ValueError):
    """An action that the exchange will not do. The text says why, as the venue's own answer would."""
