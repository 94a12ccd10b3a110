"""Parses and formats times as people write them: ``5``, ``5s``, ``500ms``, ``10m``, ``1h``, ``2d``."""

import re

_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
"""The units, and the seconds in each; the largest first."""
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?|\.[0-9]{1,12})(ms|s|m|h|d)?")


def parse_duration(text: str) -> float:
    """Return the seconds that `text` names; a number alone counts seconds.

    Raises:
        ValueError: The text is no such time.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time: write 5, 5s, 500ms, 10m or 1h.")
    return float(match[1]) * _UNITS[match[2] or "s"]


def format_duration(seconds: float) -> str:
    """Return a time in the largest unit of which it is a whole number: ``500ms``, ``5s``, ``10m``, ``365d``."""
    unit = next((unit for unit, size in _UNITS.items() if seconds >= size and seconds % size == 0), "s")
    if 0 < seconds < 1:
        unit = "ms"
    return f"{seconds / _UNITS[unit]:g}{unit}"
