"""Finds the server that the target of ``sockctl watch`` means."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sockctl.errors import AddressError, NoServerError, OptionError
from sockctl.net.address import is_loopback, is_unix, parse_target
from sockctl.net.control.client import fetch_all, list_live
from sockctl.text import is_whole_number

NONE = "No server runs here as this user that can be watched: 'sockctl serve echo' starts one."
LISTED_S = 3.0
"""How long each server may take to answer where several are asked."""
_EVERY_INTERFACE = frozenset({"0.0.0.0", "::"})  # noqa: S104  compared, not bound
_LOCALHOST = "localhost"


def find_control(target: str | None, folder: Path) -> Path:
    """Return the control socket of the server that is meant.

    Args:
        target: A server's name, service, port or address, or the path of a control socket; None for the only one.
        folder: The folder of the user's servers.

    Raises:
        NoServerError: There is none.
        OptionError: Several are meant.
    """
    if target is not None and _is_path(target):
        return Path(target)
    live = list_live(folder)
    if not live:
        raise NoServerError(NONE if target is None else f"No server {target!r} can be watched: none runs as this user.")
    meant = live
    if target is not None:
        meant = [path for path in live if _has_name(path.stem, target)] or list(_find_listening(target, folder))
    if not meant:
        raise NoServerError(f"No server {target!r} can be watched. These run: {_list_names(live)}.")
    if len(meant) > 1:
        several = "Several servers run" if target is None else f"{target!r} means several servers"
        one = min(path.stem for path in meant)
        raise OptionError(f"{several}: {_list_names(meant)}. Give one of them, as in 'sockctl watch {one}'.")
    return meant[0]


def _list_names(paths: list[Path]) -> str:
    return ", ".join(sorted(path.stem for path in paths))


def _is_path(target: str) -> bool:
    return "/" in target and "://" not in target and not is_unix(target)


def _has_name(name: str, target: str) -> bool:
    return name == target or target in name.split("-")[:2]


def _find_listening(target: str, folder: Path) -> Iterator[Path]:
    """Yield the servers that listen at a port, ``HOST:PORT`` or a Unix socket."""
    with contextlib.suppress(AddressError):
        wanted = parse_target(None, target) if is_whole_number(target) else parse_target(target)
        for path, snapshot in fetch_all(folder, LISTED_S):
            if any(_listens_at(place, wanted.host, wanted.port) for place in snapshot.server["listening"]):
                yield path


def _listens_at(place: dict[str, Any], host: str | None, port: int | None) -> bool:
    """Return whether a client that connects there may reach a listening socket."""
    if place["port"] != port:
        return False
    if host is None or place["host"] == host:
        return True
    if host == _LOCALHOST:
        return is_loopback(place["host"]) or place["host"] in _EVERY_INTERFACE
    return place["host"] in _EVERY_INTERFACE and not is_unix(host)
