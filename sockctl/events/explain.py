"""Which events are explained. The module is small: every start of the client loads it."""

import enum


class Explain(enum.StrEnum):
    """Which events are explained."""

    ALWAYS = "always"
    FIRST = "first"
    NEVER = "never"
