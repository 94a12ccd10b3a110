"""Where what sockctl keeps is kept."""

import os
from pathlib import Path

from sockctl.errors import StoreReadError

__all__ = ["data_dir"]

VARIABLE = "SOCKCTL_DATA_DIR"


def data_dir(chosen: Path | None) -> Path:
    """Return the data directory: the chosen one, SOCKCTL_DATA_DIR, or the user's (XDG Base Directory Specification).

    It isn't made here.

    Raises:
        StoreReadError: The user has no home directory.
    """
    if chosen is not None:
        return chosen
    if own := os.environ.get(VARIABLE):
        return Path(own)
    xdg = Path(os.environ.get("XDG_DATA_HOME", ""))
    if xdg.is_absolute():  # a relative one is to be ignored, the specification says
        return xdg / "sockctl"
    try:
        return Path.home() / ".local" / "share" / "sockctl"
    except RuntimeError as error:
        raise StoreReadError(
            f"There is no home directory to keep data in: give --data-dir, or set {VARIABLE}."
        ) from error
