"""Libraries that come with an extra of the package, since only some commands need them."""

import contextlib
from collections.abc import Iterator

from sockctl.errors import LibraryMissingError

_LIBRARIES = {
    "cluster": {"redis", "hiredis"},
    "metrics": {"prometheus_client"},
    "web": {"websockets", "h11"},
}


@contextlib.contextmanager
def needing(extra: str, what: str) -> Iterator[None]:
    """Explain where the block imports a library of an extra, and it isn't installed.

    Args:
        extra: The name of the extra.
        what: What needs the library, such as an option.

    Raises:
        LibraryMissingError: The library isn't installed. Other failures of an import stay as they are.
    """
    try:
        yield
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if library not in _LIBRARIES[extra]:
            raise
        raise LibraryMissingError(
            f"{what} needs the library {library}, which isn't installed: {_write_installation(extra)} brings it."
        ) from error


def _write_installation(extra: str) -> str:
    """Return the command that brings an extra to the Python of this process; pipx and uv make some without pip."""
    import shlex
    import sys
    from importlib.util import find_spec

    python = shlex.quote(sys.executable or "python3")
    installer = f"{python} -m pip install" if find_spec("pip") else f"uv pip install --python {python}"
    return f"{installer} 'sockctl[{extra}]'"
