"""Load: a stretch of trading that is made once and then repeated at any rate, with new ids and times.

The stretch comes out of an exchange of its own, so that every row is one that this market would write. It
begins and ends with all wallets flat and leaves nothing resting, and each of its blocks ends every order that
it begins: so it can be repeated for ever, and what was sent is known from how many blocks were sent.
"""

from .apply import LoadAccounts
from .generate import LoadConfig, make_plan
from .plan import CYCLE_MARK, TIME_MARK, LoadBlock, LoadPlan
from .truth import LoadTruth, Stretch

__all__ = [
    "CYCLE_MARK",
    "TIME_MARK",
    "LoadAccounts",
    "LoadBlock",
    "LoadConfig",
    "LoadPlan",
    "LoadTruth",
    "Stretch",
    "make_plan",
]
