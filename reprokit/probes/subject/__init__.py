"""What was evaluated, and on what: models and datasets with their revisions, each fact with how it was learnt."""

from reprokit.probes.subject.clues import Clues, Limits
from reprokit.probes.subject.files import Digester
from reprokit.probes.subject.resolution import resolve

__all__ = ["Clues", "Digester", "Limits", "resolve"]
