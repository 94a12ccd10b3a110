import contextlib
import socket

import pytest

from sockctl.net.poller import READABLE, WRITABLE, Poller, SelectorPoller, open_poller


@pytest.mark.parametrize("make", [open_poller, SelectorPoller])
def test_what_a_poller_reports(make: type[SelectorPoller]) -> None:
    poller: Poller = make()
    near, far = socket.socketpair()
    with near, far, contextlib.closing(poller):
        fd = near.fileno()
        poller.register(fd, READABLE)
        assert poller.poll(0) == []
        far.send(b"x")
        assert poller.poll(5.0) == [(fd, READABLE)]
        assert poller.poll(5.0) == [(fd, READABLE)], "level-triggered: reported again"
        poller.modify(fd, WRITABLE)
        assert poller.poll(5.0) == [(fd, WRITABLE)]
        poller.modify(fd, READABLE | WRITABLE)
        assert poller.poll(5.0) == [(fd, READABLE | WRITABLE)]
        poller.unregister(fd)
        assert poller.poll(0) == []


@pytest.mark.parametrize("make", [open_poller, SelectorPoller])
def test_a_descriptor_may_be_watched_for_nothing(make: type[SelectorPoller]) -> None:
    ours, theirs = socket.socketpair()
    poller: Poller = make()
    with ours, theirs:
        poller.register(ours.fileno(), 0)
        theirs.send(b"x")
        assert poller.poll(0.0) == []
        poller.modify(ours.fileno(), READABLE)
        assert poller.poll(1.0) == [(ours.fileno(), READABLE)]
        poller.modify(ours.fileno(), 0)
        assert poller.poll(0.0) == []
        poller.unregister(ours.fileno())
    poller.close()
