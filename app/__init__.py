"""The DUET service: HTTP over a bundle and a store of classes."""

__version__ = "0.1.0"
