"""What goes wrong between the exchange and its clients, decided without I/O: which fault meets which frame or request.

A *rule* says to what (its target), what (its effect) and until when. A *board* holds the rules and what is
wrong with everything all the time; a *line* does what the board says to the frames of one connection.
"""

from .board import FaultBoard
from .effects import Edit, Effect, FaultConfig, Refusal, ReplyFault
from .line import FaultyLine, LineFrame
from .rules import Rule, Subject, Target

__all__ = [
    "Edit",
    "Effect",
    "FaultBoard",
    "FaultConfig",
    "FaultyLine",
    "LineFrame",
    "Refusal",
    "ReplyFault",
    "Rule",
    "Subject",
    "Target",
]
