"""What each subscription type sends: its first frame, and what every block adds (facts 1.5, 1.8).

A `Source` serves some types. It looks at the exchange and at the block; who listens, and over what line, is the
server's business. `sources` lists all of them in the order in which a block's frames leave.
"""

from .catalogue import sources
from .source import Delivery, FeedConfig, Heard, Source, View

__all__ = ["Delivery", "FeedConfig", "Heard", "Source", "View", "sources"]
