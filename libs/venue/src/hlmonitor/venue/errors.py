"""What can go wrong at the venue.

VenueError
├── TransportError      the request did not get through
├── RateLimitedError    429: the budget of this egress IP is spent
├── ServerError         5xx
├── RequestRefusedError any other status than 200
├── CutReplyError       the reply is no JSON: it broke off on its way
└── BadReplyError       the reply is not what the venue documents
"""


class VenueError(Exception):
    """Root of the tree."""


class TransportError(VenueError):
    """No reply: refused, reset, timed out."""


class RateLimitedError(VenueError):
    """The venue answered 429."""


class ServerError(VenueError):
    """The venue answered 5xx."""


class RequestRefusedError(VenueError):
    """The venue answered with another status than 200; asking again gives the same."""


class CutReplyError(VenueError):
    """The reply is no whole JSON; asked again, it may be."""


class BadReplyError(VenueError):
    """The reply cannot be read as the type that was asked for."""
