"""sockctl: a command-line toolkit for TCP, named, safe and explained."""

__all__ = ["__version__"]

__version__ = "0.1.0"
