"""Why the proxy ends a connection, beside the reasons of the core."""

from sockctl.events.proxy import NO_RESETS
from sockctl.events.reasons import Reason

TARGET_UNREACHABLE = Reason(
    "target_unreachable",
    "The target could not be reached, so the proxy broke the client's connection off with a reset: nobody takes that "
    "for an answer without bytes.",
    local_explanation=f"The target could not be reached, so the proxy closed the client's connection. {NO_RESETS}",
)
TARGET_CLOSED = Reason(
    "target_closed",
    "The target ended its side first, then the client ended its own. The proxy passed on both ends, and closed both "
    "sockets.",
)
TARGET_RESET = Reason(
    "target_reset",
    "The target broke its connection off: its RST came. The proxy passed that on, and broke the client's connection "
    "off as well.",
    local_explanation=f"The target broke its connection off, so the proxy closed the client's as well. {NO_RESETS}",
)
DROPPED = Reason(
    "dropped_on_purpose",
    "As many bytes had passed as --drop-after allows, so the proxy broke off both connections, as a bad network does.",
    local_explanation=f"As many bytes had passed as --drop-after allows, so the proxy closed both connections. "
    f"{NO_RESETS}",
)
