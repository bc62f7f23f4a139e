"""Strict models of everything that the venue sends over its WebSocket, written from the facts, not from the code.

An unknown field, a missing one, a number where the venue sends a string, a word outside the known set: each is an
error. `parse` takes the bytes of a frame. The models know nothing of the simulator.
"""

from .frames import UnknownChannelError, parse

__all__ = ["UnknownChannelError", "parse"]
