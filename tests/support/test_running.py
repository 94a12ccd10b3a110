"""What the tests' own servers are started with."""

from pathlib import Path

import pytest

from tests.support.running import free_port

ASSIGNED = Path("/proc/sys/net/ipv4/ip_local_port_range")


@pytest.mark.skipif(not ASSIGNED.exists(), reason="Linux tells which ports it assigns")
def test_a_free_port_is_none_that_the_system_gives_to_another_test() -> None:
    first = int(ASSIGNED.read_text().split()[0])
    assert all(free_port() < first for _ in range(20))
