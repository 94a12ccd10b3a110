"""The options of ``sockctl connect`` that mean nothing where datagrams are sent, and those that mean nothing else."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from sockctl.cli.connect_options import ConnectOptions
from sockctl.errors import OptionError
from sockctl.net.schemes import UDP

if TYPE_CHECKING:
    from sockctl.client.script_steps import Step

_NO_TLS = "TLS needs the ordered stream of TCP (DTLS is not there)"
_NO_MESSAGES = "it is for messages, and datagrams carry bytes"
_REFUSED = {
    "read_size": "a datagram is received whole",
    "reconnect": "there is no connection that could be lost",
    "no_reconnect": "there is no connection that could be lost",
    "retry": "no connection is made that could fail; what gets no answer is told",
    "user": _NO_MESSAGES,
    "log": _NO_MESSAGES,
    "insecure": _NO_MESSAGES,
    "binary": "bytes pass as they are, a line a datagram; --datagram-size BYTES cuts blocks instead",
}
"""Options that mean nothing, each with the reason."""


def check_options(given: ConnectOptions, scheme: str | None, steps: "Sequence[Step]") -> None:
    """Refuse options that mean nothing with or without ``udp://``.

    Raises:
        OptionError: There are such.
    """
    if scheme != UDP:
        if given.content.datagram_size is not None:
            raise OptionError("--datagram-size is for datagrams: write udp://HOST:PORT.")
        return
    groups = (given.connecting, given.content, given.web, given.login)
    values = {field.name: getattr(group, field.name) for group in groups for field in fields(group)}
    for name, why in _REFUSED.items():
        if values[name]:
            raise OptionError(f"--{name.replace('_', '-')} means nothing with udp://: {why}.")
    if any(getattr(given.tls, field.name) for field in fields(given.tls)):
        raise OptionError(f"--tls and its options mean nothing with udp://: {_NO_TLS}.")
    if given.content.crlf and given.content.datagram_size is not None:
        raise OptionError("--crlf is for lines, and --datagram-size cuts blocks: leave one out.")
    from sockctl.client.script_steps import WaitForEnd

    if any(isinstance(step, WaitForEnd) for step in steps):
        raise OptionError("A step 'wait' without a time waits for the connection's end, and UDP has no connection.")
