"""The networks on which topics are measured, in the process of the tests."""

import contextlib
from collections.abc import Iterator

import pytest

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from tests.support.two_hosts import UnavailableError, new_host

SEED = 7


@pytest.fixture
def lab() -> Iterator[PacketLab]:
    """A packet lab on a host of its own."""
    with contextlib.ExitStack() as undo:
        try:
            host = new_host(undo)
        except UnavailableError as error:
            pytest.skip(str(error))
        undo.enter_context(host.here())
        yield undo.enter_context(PacketLab(seed=SEED))


@pytest.fixture
def loopback() -> Loopback:
    """The network of a system that refuses the packet lab."""
    return Loopback()
