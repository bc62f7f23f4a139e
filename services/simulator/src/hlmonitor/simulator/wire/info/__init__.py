"""Answers to `/info` requests, from the exchange and its ledger. A module per topic; answers live nowhere else."""

from .answerer import Answerer
from .topic import FailedAnswerError

__all__ = ["Answerer", "FailedAnswerError"]
