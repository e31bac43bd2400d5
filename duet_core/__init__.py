"""DUET: what the model is, how it learns, how it is judged and how it is exported."""

__version__ = "0.1.0"
