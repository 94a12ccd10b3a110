"""The control socket of a server, as its options want it."""

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sockctl import __version__
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import ControlError, StoreReadError
from sockctl.events.control import ControlFailed, ControlOpened
from sockctl.events.journal import Journal

if TYPE_CHECKING:
    from sockctl.net.control.server import ControlServer

ReadStatus = Callable[[], Iterable[dict[str, Any]]]
"""Returns the lines that say what a server does."""

MakeReader = Callable[[dict[str, Any]], ReadStatus]
"""Takes the fields that never change, and returns what reads the status."""


def open_control(
    options: ServerOptions, make_reader: MakeReader, journal: Journal, *, name: str
) -> "ControlServer | None":
    """Return the running control server; None if the user wants none. Without a socket, the server serves all the same.

    Args:
        options: The options of the user.
        make_reader: Makes what reads the server's status.
        journal: Its journal.
        name: The name of the server.
    """
    if options.no_control:
        return None
    from sockctl.net.control.server import ControlServer
    from sockctl.net.control.socket_file import open_at, open_in_folder
    from sockctl.paths import find_runtime_dir

    try:
        if options.control is not None:
            listener = open_at(options.control.absolute())
        else:
            listener = open_in_folder(find_runtime_dir(), name)
        facts = {"name": name, "pid": os.getpid(), "version": __version__, "path": str(listener.path)}
        control = ControlServer(listener, make_reader(facts))
        control.start()
    except (ControlError, StoreReadError) as error:
        journal.emit(ControlFailed(error=str(error)))
        return None
    except (OSError, RuntimeError) as error:  # the system has no descriptor or thread left
        journal.emit(ControlFailed(error=f"The control socket can't be made: {error}."))
        return None
    journal.emit(ControlOpened(path=str(listener.path)))
    return control
