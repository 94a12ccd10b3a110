"""The target of datagrams, as users write it: ``udp://HOST:PORT``."""

from dataclasses import replace

from sockctl.errors import AddressError
from sockctl.net.address import Target, parse_target
from sockctl.net.schemes import UDP
from sockctl.text import is_whole_number

_BEGINNING = f"{UDP}://"


def parse_udp_target(text: str, port: str | None = None) -> Target:
    """Return the target that a text beginning with ``udp://`` names.

    Raises:
        AddressError: It names none, several, or a Unix socket.
    """
    rest = text.removeprefix(_BEGINNING)
    if "," in rest:
        raise AddressError(f"{text!r} names several servers, and datagrams go to one: leave the others out.")
    if rest.startswith("unix:") and not is_whole_number(rest.removeprefix("unix:")):
        raise AddressError(f"{text!r} is a Unix socket, which knows no UDP: write udp://HOST:PORT, or unix:PATH.")
    return replace(parse_target(f"tcp://{rest}", port), scheme=UDP)
