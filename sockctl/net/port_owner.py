"""Finds the process that listens on a port of this machine, as far as Linux tells it without special rights.

``/proc/net/tcp`` and ``tcp6``, for UDP ``udp`` and ``udp6``, show every listening socket with its user and its
inode, to every user. Only the process's own user and root may see which process has that inode open (``/proc/PID/fd``).
"""

import contextlib
import ipaddress
import os
import pwd
import sys
from collections.abc import Iterator
from pathlib import Path

from sockctl.text import make_visible

_PROC = Path("/proc")
_TABLES = {False: ("0A", "tcp", "tcp6"), True: ("07", "udp", "udp6")}
"""The state TCP_LISTEN, or that of a socket of UDP without another end, as the kernel writes it; and its tables."""
_WORD_DIGITS = 8
"""Hex digits of each 32-bit word of an address; the kernel writes the words in the machine's own byte order."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def find_owner(host: str, port: int, *, datagrams: bool = False, proc: Path = _PROC) -> str:
    """Return the listener of an IP address and port: ``process 4711 (nc) of user ann``, or less if less is known.

    Args:
        host: The address; a socket that listens on every address counts as well.
        port: The port.
        datagrams: Whether it is a port of UDP.
        proc: The folder of Linux's process information.
    """
    wanted = ipaddress.ip_address(host.partition("%")[0])
    for address, uid, inode in _list_listeners(port, proc, *_TABLES[datagrams]):
        if address in (wanted, _make_any_address(wanted), ipaddress.IPv6Address("::")):
            process = _process_with(inode, proc)
            return f"{process or 'a program'} of user {_find_user_name(uid)}"
    return "another program"


def _make_any_address(address: _Address) -> _Address:
    return ipaddress.IPv4Address(0) if isinstance(address, ipaddress.IPv4Address) else ipaddress.IPv6Address(0)


def _list_listeners(port: int, proc: Path, listening: str, *tables: str) -> Iterator[tuple[_Address, int, str]]:
    """Yield address, user and inode of each socket that listens on a port."""
    for table in tables:
        lines: list[str] = []
        with contextlib.suppress(OSError):  # another system than Linux, or one without IPv6
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        for line in lines:
            _, local, _, state, _, _, _, uid, _, inode, *_ = line.split()
            digits, _, port_digits = local.partition(":")
            if state == listening and int(port_digits, 16) == port:
                yield _parse_address(digits), int(uid), inode


def _parse_address(digits: str) -> _Address:
    words = (bytes.fromhex(digits[at : at + _WORD_DIGITS]) for at in range(0, len(digits), _WORD_DIGITS))
    packed = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    address = ipaddress.ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _process_with(inode: str, proc: Path) -> str:
    """Return the process that has a socket open, with its name; empty if this user may not see it."""
    for folder in proc.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # another user's, or it has just ended
            for link in (folder / "fd").iterdir():
                if os.readlink(link) == f"socket:[{inode}]":  # noqa: PTH115  what it names is no path
                    return f"process {folder.name} ({make_visible((folder / 'comm').read_text().strip())})"
    return ""


def _find_user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
