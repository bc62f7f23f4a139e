"""What can be commanded: each body is one `POST /control/<name>` and one word of a scenario file.

A new command is a class in a module of its topic and its name in the catalogue; nothing else has to know it.
"""

from .base import BadInputError, MarketCommand, ServerCommand, Strict, read
from .catalogue import COMMANDS
from .orders import reply

__all__ = ["COMMANDS", "BadInputError", "MarketCommand", "ServerCommand", "Strict", "read", "reply"]
