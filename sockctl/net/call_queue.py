"""A queue of calls for an event thread: any thread adds calls, and wakes the event thread."""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class CallQueue:
    """Carries calls, each with its argument (mostly a connection), to the event thread, in order.

    Other threads wake the event thread by a byte on a socket pair. The event thread itself checks the queue before it
    waits.

    Attributes:
        thread_id: The event thread's id; the event thread sets it.
    """

    def __init__(self) -> None:
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._wake_sent = False
        self._calls: deque[tuple[Callable[[Any], None], Any]] = deque()  # a deque's append and popleft need no lock
        self.thread_id = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def fileno(self) -> int:
        """Return the descriptor that becomes readable when another thread wakes the event thread."""
        return self._woken.fileno()

    def add(self, call: Callable[[T], None], argument: T) -> None:
        """Have the event thread make a call, without waking it."""
        self._calls.append((call, argument))

    def add_and_wake(self, call: Callable[[T], None], argument: T) -> None:
        """Have the event thread make a call soon; any thread may call this."""
        self._calls.append((call, argument))
        if threading.get_ident() != self.thread_id:
            self.wake()

    def wake(self) -> None:
        """End the event thread's waiting."""
        # Set after filling the queue, reset before emptying it: at worst a wake-up too many, never one too few.
        if not self._wake_sent:
            self._wake_sent = True
            with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
                self._waker.send(b"\0")

    def consume_wake(self) -> None:
        """Note that the event thread is awake; the thread calls this when the descriptor is readable."""
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(1)
            self._wake_sent = False

    def pop_all(self) -> Iterator[tuple[Callable[[Any], None], Any]]:
        """Yield the calls that the queue has now; calls that they add wait for the next round."""
        for _ in range(len(self._calls)):
            yield self._calls.popleft()

    def close(self) -> None:
        """Free the sockets."""
        self._waker.close()
        self._woken.close()
