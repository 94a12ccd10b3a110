import socket

from sockctl.explain.network import Loopback, find_port, listen
from sockctl.explain.tcp_states import GONE, UNKNOWN, Row, find_states, parse_rows, read_rows

TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2382 00000000:0000 0A 00000000:00000002 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:2382 0100007F:9C40 08 00000010:00000005 00:00000000 00000000     0        0 2 1 0 20 4 0 10 -1
   2: 0100007F:9C40 0100007F:2382 05 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 0 10 -1
   3: 0100007F:0016 0100007F:9C41 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0 20 4 0 10 -1
"""


def test_the_rows_of_a_port_are_read() -> None:
    rows = parse_rows(TABLE, 9090)
    assert rows == [
        Row(local_port=9090, peer_port=0, state="LISTEN", unsent_bytes=0, unread_bytes=2),
        Row(local_port=9090, peer_port=40_000, state="CLOSE_WAIT", unsent_bytes=16, unread_bytes=5),
        Row(local_port=40_000, peer_port=9090, state="FIN_WAIT2", unsent_bytes=0, unread_bytes=0),
    ]
    assert find_states(rows, 9090) == ("FIN_WAIT2", "CLOSE_WAIT")


def test_an_end_that_is_gone_and_one_that_is_not_told() -> None:
    assert find_states(parse_rows(TABLE, 22), 22) == (GONE, "ESTAB")
    assert find_states([], 22) == (GONE, GONE)
    assert find_states(None, 22) == (UNKNOWN, UNKNOWN)


def test_real_sockets_are_found() -> None:
    network = Loopback()
    with listen(network) as listener:
        port = find_port(listener)
        with socket.create_connection((network.target, port)) as client:
            client.send(b"hello")
            rows = read_rows(port)
    assert rows is not None
    assert {row.state for row in rows} == {"LISTEN", "ESTAB"}
    assert find_states(rows, port) == ("ESTAB", "ESTAB")
    assert [row.unread_bytes for row in rows if row.local_port == port and row.peer_port] == [5]
