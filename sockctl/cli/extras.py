"""Libraries that come with an extra of the package, since only some commands need them."""

import contextlib
from collections.abc import Callable, Collection, Iterator

from sockctl.errors import SockctlError

WEB_LIBRARIES = frozenset({"websockets", "h11"})


@contextlib.contextmanager
def needing(libraries: Collection[str], explain: Callable[[str], SockctlError]) -> Iterator[None]:
    """Explain where the block imports one of these libraries, and it isn't installed.

    Args:
        libraries: The names of the libraries.
        explain: Returns the error for a library that is missing. Other failures of an import stay as they are.
    """
    try:
        yield
    except ImportError as error:
        library = (error.name or "").partition(".")[0]
        if library not in libraries:
            raise
        raise explain(library) from error
