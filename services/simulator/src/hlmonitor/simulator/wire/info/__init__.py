"""Answers to `/info` requests, from the exchange and its ledger. A module per topic; answers live nowhere else."""

from .answerer import Answerer

__all__ = ["Answerer"]
