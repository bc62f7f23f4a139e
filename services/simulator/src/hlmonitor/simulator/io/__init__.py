"""Thin shells: one port with `/info`, `/ws` and `/control`, and the clock that makes blocks."""
