"""Answers those who ask a server what it does, in one thread of its own.

The thread sleeps until somebody asks. An answer costs work that the server's clients would else get. So the thread
works for a small share of the time at most, however many ask and however often: after an answer, the next one waits as
long as that share needs. The share is smallest while the server is busy. All who wait get the same answer.

Askers are bounded: in number, in what they may send, and in how long they may take to read. Nobody but the server's own
user and root may ask.
"""

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile

from sockctl.deadline import Deadline
from sockctl.net.control.asker import Asker, encode_line
from sockctl.net.socket_file import SocketFile
from sockctl.net.status import Fields
from sockctl.os_limits import count_usable_cores

_CREDENTIALS = struct.Struct("3i")
"""Linux's struct ucred: process, user, group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlLimits:
    """What askers may do.

    Attributes:
        askers: How many may be connected at once.
        line_bytes: The longest line of an asker.
        read_s: How long an asker may take to read an answer.
        quiet_s: How long an asker may stay without a question.
        busy_share: The share of a core's time that answers may take while the process keeps a core busy, or others keep
            all cores busy …
        idle_share: … and while nothing else is done; between them, the share goes down in a straight line.
        pause_s: The shortest time between two answers.
        retry_s: How long accepting pauses when the system has no descriptor left.
        goodbye_s: How long a stopping server waits for all askers that are in the middle of an answer.
    """

    askers: int = 8
    line_bytes: int = 64
    read_s: float = 5.0
    quiet_s: float = 300.0
    busy_share: float = 0.01
    idle_share: float = 0.05
    pause_s: float = 0.02
    retry_s: float = 0.25
    goodbye_s: float = 0.2


USUAL_LIMITS = ControlLimits()


class ControlServer:
    """Answers askers at a control socket, which it closes at its end.

    Args:
        listener: The control socket.
        read_status: Returns the lines of an answer; the thread alone calls it.
        limits: What askers may do.
    """

    def __init__(
        self,
        listener: SocketFile,
        read_status: Callable[[], Iterable[Fields]],
        *,
        limits: ControlLimits = USUAL_LIMITS,
    ) -> None:
        self._listener = listener
        self._read_status = read_status
        self._limits = limits
        self._askers: dict[int, Asker] = {}
        self._next_at = 0.0  # when the next answer may begin
        self._looked = time.monotonic(), time.process_time()  # at the last answer
        self._took_s = 0.0  # processor time for the last answer
        self._accepts_at = 0.0  # when accepting goes on after a pause
        self._stopping = False
        with contextlib.ExitStack() as undo:
            undo.callback(listener.close)
            self._selector = undo.enter_context(selectors.DefaultSelector())
            self._waker, self._woken = socket.socketpair()
            undo.pop_all()
        self._thread = threading.Thread(target=self._run, name="sockctl-control", daemon=True)

    def start(self) -> None:
        """Start to answer. If the system has no thread left, the socket is closed, too."""
        try:
            self._thread.start()
        except RuntimeError:
            self._close()
            raise

    def stop(self) -> None:
        """Remove the socket, say goodbye to all askers, and end the thread."""
        self._listener.remove()
        self._stopping = True
        self._waker.send(b"\0")
        self._thread.join()
        self._close()

    def _close(self) -> None:
        self._waker.close()
        self._woken.close()
        self._selector.close()
        self._listener.close()

    def abandon(self) -> None:
        """Remove the socket's file alone: the process is about to end."""
        self._listener.remove()

    # The thread.

    def _run(self) -> None:
        selector = self._selector
        selector.register(self._woken, selectors.EVENT_READ)
        selector.register(self._listener.sock, selectors.EVENT_READ)
        while not self._stopping:
            self._work(selector)
        deadline = Deadline.after(self._limits.goodbye_s)
        for asker in self._askers.values():
            asker.say_goodbye(deadline)
            asker.sock.close()

    def _work(self, selector: selectors.BaseSelector) -> None:
        """Wait until something is to be done, and do it."""
        for key, _ in selector.select(self._find_wait_s()):
            if key.fileobj is self._listener.sock:
                self._accept(selector)
            elif (asker := self._askers.get(key.fd)) is not None:
                asker.go_on()
        now = time.monotonic()
        if self._accepts_at and now >= self._accepts_at:
            self._accepts_at = 0.0
            selector.register(self._listener.sock, selectors.EVENT_READ)
        if now >= self._next_at:
            self._answer_all()
        for asker in list(self._askers.values()):
            self._look_after(asker, selector, now)

    def _find_wait_s(self) -> float | None:
        """Return how long nothing is to be done unless somebody says something; None where nobody is there."""
        times = [asker.until for asker in self._askers.values()]
        if any(asker.asks for asker in self._askers.values()):
            times.append(self._next_at)
        if self._accepts_at:
            times.append(self._accepts_at)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _accept(self, selector: selectors.BaseSelector) -> None:
        try:
            sock, _ = self._listener.sock.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor is left: the waiting asker would keep this thread busy
            self._accepts_at = time.monotonic() + self._limits.retry_s
            selector.unregister(self._listener.sock)
            return
        sock.setblocking(False)
        asker = Asker(sock, line_bytes=self._limits.line_bytes, quiet_s=self._limits.quiet_s)
        if not _may_ask(sock):
            asker.refuse("Only the user whose server it is may ask it, and root.")
        elif len(self._askers) >= self._limits.askers:
            asker.refuse(f"{self._limits.askers} others ask this server already: close one of them.")
        if asker.is_over:
            asker.sock.close()
            return
        self._askers[sock.fileno()] = asker
        selector.register(sock, selectors.EVENT_READ)

    def _answer_all(self) -> None:
        """Give all who have asked the same answer."""
        waiting = [asker for asker in self._askers.values() if asker.asks]
        if not waiting:
            return
        began = time.thread_time()
        try:
            answer = b"".join(map(encode_line, takewhile(lambda _: not self._stopping, self._read_status())))
        except Exception as error:  # noqa: BLE001  a defect here must not end the thread
            answer = encode_line({"kind": "error", "text": f"The server failed to answer: {type(error).__name__}."})
        if self._stopping:
            return  # an answer that was cut off is none: they get a goodbye
        until = time.monotonic() + self._limits.read_s
        for asker in waiting:
            asker.answer(answer, until)
        self._rest(time.thread_time() - began)

    def _rest(self, took_s: float) -> None:
        """Put off the next answer, by what an answer takes and by how busy the process was since the one before.

        The cheaper one of the last two answers counts: a garbage collection falls into one now and then.
        """
        cost_s, self._took_s = min(took_s, self._took_s), took_s
        before, used_before = self._looked
        now, used = self._looked = time.monotonic(), time.process_time()
        busy = min(1.0, max(0.0, (used - used_before - took_s) / max(now - before, 0.001)))
        if os.getloadavg()[0] > count_usable_cores():  # the process may only seem idle, since it waits for a core
            busy = 1.0
        share = self._limits.idle_share + (self._limits.busy_share - self._limits.idle_share) * busy
        self._next_at = now + max(self._limits.pause_s, cost_s / share)

    def _look_after(self, asker: Asker, selector: selectors.BaseSelector, now: float) -> None:
        """Wait for what an asker is to do next, or close it."""
        if asker.is_over or now >= asker.until:
            del self._askers[asker.sock.fileno()]
            selector.unregister(asker.sock)
            asker.sock.close()
            return
        selector.modify(asker.sock, selectors.EVENT_WRITE if asker.is_reading else selectors.EVENT_READ)


def _may_ask(sock: socket.socket) -> bool:
    """Return whether an asker is the server's own user, or root; the file's mode lets in nobody else, either."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    with contextlib.suppress(OSError):
        _, user, _ = _CREDENTIALS.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))
        return user in {os.geteuid(), 0}
    return False
