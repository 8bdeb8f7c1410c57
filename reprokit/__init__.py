"""Make a model evaluation outlive the machine it ran on.

Importing this does nothing and is fast.
"""

__version__ = "0.1.0"
