"""The directories in which sockctl saves its files."""

import contextlib
import os
from pathlib import Path

from sockctl.errors import StoreReadError


def find_data_dir(chosen: Path | None) -> Path:
    """Return the data directory: the chosen one, SOCKCTL_DATA_DIR, or the user's (XDG Base Directory Specification).

    The function doesn't make the directory.

    Raises:
        StoreReadError: The user has no home directory.
    """
    return _find_place(chosen, kind="data", below_home=".local/share")


def find_state_dir(chosen: Path | None) -> Path:
    """Return the state directory, for a client's trusted servers and logins.

    It is the chosen one, SOCKCTL_STATE_DIR, or the user's. The function doesn't make the directory.

    Raises:
        StoreReadError: The user has no home directory.
    """
    return _find_place(chosen, kind="state", below_home=".local/state")


def find_config_file() -> Path:
    """Return the path of the configuration file, in the folder SOCKCTL_CONFIG, or in the user's.

    Raises:
        StoreReadError: The user has no home directory.
    """
    return _find_place(None, kind="config", below_home=".config", variable="SOCKCTL_CONFIG") / "config.toml"


def find_runtime_dir() -> Path:
    """Return the folder of the control sockets of this user's servers: sockctl in XDG_RUNTIME_DIR, if that is theirs.

    Without that variable, or with another user's folder (as behind sudo), it is sockctl-UID in the folder for temporary
    files. The function doesn't make the folder.
    """
    user = os.geteuid()
    xdg = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    with contextlib.suppress(OSError):
        if xdg.is_absolute() and xdg.stat().st_uid == user:
            return xdg / "sockctl"
    return Path(os.environ.get("TMPDIR") or "/tmp") / f"sockctl-{user}"  # noqa: S108  the folder is checked before use


def _find_place(chosen: Path | None, *, kind: str, below_home: str, variable: str = "") -> Path:
    if chosen is not None:
        return chosen
    variable = variable or f"SOCKCTL_{kind.upper()}_DIR"
    if own := os.environ.get(variable):
        return Path(own)
    xdg = Path(os.environ.get(f"XDG_{kind.upper()}_HOME", ""))
    if xdg.is_absolute():  # the specification ignores a relative one
        return xdg / "sockctl"
    try:
        return Path.home() / below_home / "sockctl"
    except RuntimeError as error:
        option = "" if kind == "config" else f"give --{kind}-dir, or "
        raise StoreReadError(f"There is no home directory to keep {kind} in: {option}set {variable}.") from error
