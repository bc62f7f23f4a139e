"""Thin shells: one port with `/info`, `/ws` and `/control`, and the clock that makes blocks.

`commands` are what `/control` and the scenario files of `scenario` can give.
"""
