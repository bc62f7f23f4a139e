"""Scenario files: readable text that says which command is given when, in venue time.

Each line is a time and a command of `hlmonitor.simulator.io.commands` with its fields, the same that a
`POST /control/<name>` takes. docs/simulator.md describes the text for its users.
"""

from .play import Player
from .text import Line, Scenario, ScenarioError, parse

__all__ = ["Line", "Player", "Scenario", "ScenarioError", "parse"]
