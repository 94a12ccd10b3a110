"""Writing to descriptors, past Python's buffers."""

import os
import select


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, waiting for as long as it takes.

    Raises:
        OSError: It can't be written; BrokenPipeError where nobody reads any more.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another process made the shared stream non-blocking
            select.select([], [descriptor], [])
