"""The networks on which topics are measured, in the process of the tests."""

import contextlib
from collections.abc import Iterator

import pytest

from sockctl.explain.lab import PacketLab
from sockctl.explain.network import Loopback
from tests.support.tools import unavailable
from tests.support.two_hosts import UnavailableError, new_host

SEED = 7


@pytest.fixture
def own_host() -> Iterator[None]:
    """A host of this test alone: its network has no other connections."""
    with contextlib.ExitStack() as undo:
        try:
            host = new_host(undo)
            host.ip("link set lo up")
        except UnavailableError as error:
            unavailable(str(error))
        undo.enter_context(host.here())
        yield


@pytest.fixture
def lab(own_host: None) -> Iterator[PacketLab]:  # noqa: ARG001  it is there
    """A packet lab."""
    with PacketLab(seed=SEED) as lab:
        yield lab


@pytest.fixture
def loopback(own_host: None) -> Loopback:  # noqa: ARG001  it is there
    """The network of a system that refuses the packet lab."""
    return Loopback()
