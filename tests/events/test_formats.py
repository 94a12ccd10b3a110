import json
import time

import pytest

from sockctl.events.base import Record
from sockctl.events.connection import ClientConnected, ClientDisconnected, DataReceived, TlsFailed
from sockctl.events.explain import Explain
from sockctl.events.formats import FileFormat, Format, PipeFormat, TerminalFormat, encode_json
from sockctl.events.reasons import DisconnectReason
from sockctl.events.server import Listening, LoopbackOnly, Reachable, TlsCertificate

AT = 1_767_225_600.25  # 2026-01-01 00:00:00.250 UTC
PEER = "127.0.0.1:50000"
RECEIVED = Record(AT, "echo", DataReceived(connection=3, peer=PEER, bytes=6, portions=1, portion_bytes=1024, reads=1))
FINGERPRINT = ":".join(["AB"] * 32)


def connected(peer: str = PEER) -> Record:
    return Record(AT, "echo", ClientConnected(connection=1, peer=peer, clients=1, max_clients=512))


def on_a_terminal(columns: int, *, colours: bool = False, explain: Explain = Explain.FIRST) -> TerminalFormat:
    return TerminalFormat(colours=colours, columns=lambda: columns, explain=explain)


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def test_a_file() -> None:
    line = FileFormat()(RECEIVED)
    assert line.startswith(
        "2026-01-01 00:00:00.250 data_received #3 127.0.0.1:50000  Received 6 bytes in one recv(): 1 portion. "
    )


def test_a_file_has_each_time() -> None:
    write = FileFormat()
    times = [write(RECEIVED._replace(time=AT + later))[11:23] for later in (0, 0.5, 1, 59.7499)]
    assert times == ["00:00:00.250", "00:00:00.750", "00:00:01.250", "00:00:59.999"]


def test_a_pipe_has_no_origin_where_there_is_none() -> None:
    line = PipeFormat(colours=False)(Record(AT, "echo", LoopbackOnly()))
    assert line.startswith("00:00:00 loopback_only       Other machines")
    assert "\x1b" not in line


def test_a_pipe_is_coloured_by_us_alone() -> None:
    line = PipeFormat(colours=True)(connected("\x1b[31mevil\n00:00:00 fake"))
    assert line.count("\x1b") == 2
    assert line.startswith("00:00:00 \x1b[36mclient_connected   \x1b[0m ")
    assert "\n" not in line


@pytest.mark.parametrize("write", [FileFormat(), PipeFormat(colours=False)], ids=["file", "pipe"])
def test_text_of_a_stranger_is_one_safe_line(write: Format) -> None:
    assert not set(write(connected("\x1b[2J\r\n\u202e"))) & set("\x1b\r\n\u202e")


def test_text_of_a_stranger_steers_no_terminal() -> None:
    text = on_a_terminal(80)(connected("\x1b[2J\r\n\u202e\tx"))
    assert not set(text) & set("\x1b\r\u202e\t")


@pytest.mark.parametrize(
    ("explain", "explained"), [(Explain.ALWAYS, 5), (Explain.FIRST, 3), (Explain.NEVER, 0)], ids=list(Explain)
)
def test_how_often_a_kind_is_explained(explain: Explain, explained: int) -> None:
    formats: tuple[Format, ...] = (
        on_a_terminal(200, explain=explain),
        PipeFormat(colours=False, explain=explain),
        FileFormat(explain),
    )
    for write in formats:
        texts = [write(connected()) for _ in range(5)]
        assert ["accept()" in text for text in texts] == [True] * explained + [False] * (5 - explained)


def test_a_second_socket_is_not_explained_again() -> None:
    write = on_a_terminal(80)
    texts = [write(Record(AT, "echo", Listening(host=host, port=9090, backlog=4_096))) for host in ("127.0.0.1", "::1")]
    assert "bind()" in texts[0]
    assert texts[1] == "00:00:00 listening           Listening on [::1]:9090."


def test_one_command_for_this_machine_is_enough() -> None:
    write = on_a_terminal(80)
    hosts = (("machine", "127.0.0.1"), ("machine", "::1"), ("network", "192.0.2.1"), ("network", "192.0.2.2"))
    texts = [
        write(Record(AT, "echo", Reachable(scope=scope, host=host, port=1, command=f"sockctl connect {host} 1")))
        for scope, host in hosts
    ]
    assert texts[0] == "00:00:00 reachable           From this machine: sockctl connect 127.0.0.1 1"
    assert texts[1] == ""
    assert all(texts[2:])


def test_80_columns() -> None:
    write = on_a_terminal(80)
    assert write(connected()).splitlines() == [
        "00:00:00 client_connected    #1 127.0.0.1:50000 A client connected (1 of 512).",
        "                             accept() took it from the backlog and gave it a",
        "                             socket of its own.",
    ]
    assert on_a_terminal(80, explain=Explain.NEVER)(RECEIVED) == (
        "00:00:00 data_received       #3 Received 6 bytes in one recv(): 1 portion."
    )


def test_40_columns() -> None:
    assert on_a_terminal(40)(connected()).splitlines() == [
        "00:00:00 client_connected",
        "  #1 127.0.0.1:50000 A client connected",
        "  (1 of 512). accept() took it from the",
        "  backlog and gave it a socket of its",
        "  own.",
    ]


def test_200_columns() -> None:
    text = on_a_terminal(200)(connected())
    assert "\n" not in text
    assert text.endswith(
        "A client connected (1 of 512). accept() took it from the backlog and gave it a socket of its own."
    )


@pytest.mark.parametrize("columns", [1, 40, 71, 72, 80, 200])
@pytest.mark.parametrize("colours", [False, True])
def test_no_word_is_broken_and_no_line_too_long(columns: int, colours: bool) -> None:
    ended = ClientDisconnected(
        connection=1, peer=PEER, reason=DisconnectReason.CLIENT_CLOSED, bytes_in=6, bytes_out=6, seconds=1.5
    )
    text = on_a_terminal(columns, colours=colours)(Record(AT, "echo", ended))
    plain = text
    for code in ("\x1b[2m", "\x1b[36m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert plain.split() == ["00:00:00", "client_disconnected", "#1", *ended.text.split()]
    if columns >= 40:
        assert max(map(len, plain.splitlines())) <= columns
    assert all(line.count("\x1b[0m") * 2 == line.count("\x1b") for line in text.splitlines())


def test_a_fingerprint_is_cut_between_its_bytes() -> None:
    text = on_a_terminal(80)(Record(AT, "echo", TlsCertificate(path="/c.pem", fingerprint=FINGERPRINT)))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert FINGERPRINT in "".join(line.strip() for line in lines)
    assert any(line.endswith(":") for line in lines)


def test_the_width_is_asked_for_each_event() -> None:
    widths = iter((80, 200))
    write = TerminalFormat(colours=False, columns=lambda: next(widths))
    assert [write(connected()).count("\n") for _ in range(2)] == [2, 0]


def test_a_warning_names_the_address_and_is_yellow() -> None:
    text = on_a_terminal(200, colours=True)(Record(AT, "echo", TlsFailed(connection=1, peer=PEER, error="no TLS")))
    assert text.startswith("\x1b[2m00:00:00\x1b[0m \x1b[33mtls_failed         \x1b[0m #1 127.0.0.1:50000 The TLS")
    assert text.endswith("\x1b[2mNothing was exchanged, and the server ends the connection.\x1b[0m")


def test_json() -> None:
    line = encode_json(RECEIVED)
    assert "\n" not in line
    event = json.loads(line)
    assert event == {
        "time": "2026-01-01T00:00:00.250Z",
        "event": "data_received",
        "service": "echo",
        "connection": 3,
        "peer": PEER,
        "bytes": 6,
        "portions": 1,
        "portion_bytes": 1024,
        "reads": 1,
        "text": RECEIVED.event.text,
    }
    assert list(event)[:3] == ["time", "event", "service"]


def test_json_is_utf_8_and_steers_no_terminal() -> None:
    peer = "Zoë 你好 \x1b[2J\r\n\x7f\x9b\u202e\ud800"
    line = encode_json(connected(peer))
    assert json.loads(line)["peer"] == peer
    assert "Zoë 你好 " in line
    assert not set(line) & set("\x1b\r\n\x7f\x9b\u202e\ud800")
    line.encode()
