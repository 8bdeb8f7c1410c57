"""Scores computed again from a bundle's own samples: nothing is run, and no model is asked."""

from reprokit.reproduce.rescoring.rescoring import rescore
from reprokit.reproduce.rescoring.values import ChangedSample, Rescored, RescoredRow

__all__ = ["ChangedSample", "Rescored", "RescoredRow", "rescore"]
