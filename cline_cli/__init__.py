"""A coding agent for shells, pipes and CI."""

__version__ = "0.1.0"
