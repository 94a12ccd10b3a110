import socket

import pytest

from sockctl.explain.network import Loopback, find_port, listen
from sockctl.explain.tcp_states import read_rows
from tests.support.running import wait_until


def test_no_connection_of_before_has_the_port_of_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Loopback()
    with socket.create_server((network.host, 0)) as earlier:
        used = find_port(earlier)
        client = socket.create_connection((network.target, used))
        connection, _ = earlier.accept()
    client.close()  # first, so it stays in TIME-WAIT for a minute
    connection.close()
    wait_until(lambda: [row.state for row in read_rows(used) or ()] == ["TIME_WAIT"])

    create, ports = socket.create_server, [used]
    monkeypatch.setattr(
        socket, "create_server", lambda address, **options: create((address[0], ports.pop() if ports else 0), **options)
    )
    with listen(network) as listener:
        assert not ports
        assert find_port(listener) != used
