"""Servers and services of hl-monitor as processes on this machine, for tests, the demo and chaos runs.

What starts, watches, freezes and ends processes lives here, and how they are wired together; no rule of any service.
"""
