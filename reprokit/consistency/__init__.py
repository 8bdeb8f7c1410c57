"""Whether a run's results follow from its samples: what a careful reader would check with a calculator.

It works on our own records, so that a bundle can be checked the day it is made and decades later. A finding is raised
only for what is certain: where a score may have been computed in another way, nothing is said.
"""

from reprokit.consistency.checking import Consistency

__all__ = ["Consistency"]
