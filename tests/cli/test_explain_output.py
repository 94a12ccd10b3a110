"""How the blocks of a topic look, in a pipe and on terminals of any width."""

import dataclasses

import pytest

from sockctl.cli.explain_output import format_block
from sockctl.cli.look import Look
from sockctl.explain.packets import Fate, Packet, Protocol
from sockctl.explain.topic import Call, Ladder, Table, Text
from tests.support.screens import WIDTHS, check_screen

SERVER = 80
SYN = Packet(
    at_s=1.0001,
    fate=Fate.ARRIVED,
    protocol=Protocol.TCP,
    source_port=40_000,
    target_port=SERVER,
    flags="SYN",
    sequence=0,
    acknowledgment=0,
    payload_bytes=0,
)
ANSWER = dataclasses.replace(SYN, source_port=SERVER, target_port=40_000)
PACKETS = (
    SYN,
    dataclasses.replace(ANSWER, at_s=1.02, flags="SYN+ACK", acknowledgment=1),
    dataclasses.replace(SYN, at_s=1.04, flags="ACK", sequence=1, acknowledgment=1),
    dataclasses.replace(SYN, at_s=1.05, flags="PSH+ACK", sequence=1, payload_bytes=1400, fate=Fate.DROPPED),
    dataclasses.replace(SYN, at_s=1.25, flags="PSH+ACK", sequence=1, payload_bytes=1400, fate=Fate.OVERTAKEN),
    dataclasses.replace(SYN, at_s=1.26, flags="FIN+ACK", sequence=1401),
    dataclasses.replace(ANSWER, at_s=1.27, flags="RST"),
)
CALLS = (
    Call(at_s=1.0, text="connect() called"),
    Call(at_s=1.03, text="connect() returns"),
    Call(at_s=1.5, text="recv() raises ConnectionResetError", by_server=True),
)
LADDER = Ladder(caption="A connection that ends badly:", server_port=SERVER, packets=PACKETS, calls=CALLS)
DATAGRAM = dataclasses.replace(SYN, protocol=Protocol.UDP, flags="", payload_bytes=400)
TABLE = Table(
    caption="What each call led to:",
    titles=("call", "took", "client", "server"),
    rows=(
        ("connect()", "40.6 ms", "ESTAB", "ESTAB"),
        ("close()", "9 µs", "TIME_WAIT", "gone"),
        ("nothing", "0", "", ""),
    ),
    right=frozenset({1}),
    sizes=(40.6, 0.009, 0.0),
)
TEXT = Text(lines=("A line that is somewhat longer than forty columns.", "  indented"))


def test_a_pipe_gets_columns() -> None:
    assert list(format_block(TABLE, Look())) == [
        "What each call led to:",
        "  call          took  client     server",
        "  connect()  40.6 ms  ESTAB      ESTAB   ████████████████████████",
        "  close()       9 µs  TIME_WAIT  gone    █",
        "  nothing          0",
    ]
    assert list(format_block(TEXT, Look())) == list(TEXT.lines)


def test_a_table_without_bars_and_caption() -> None:
    table = Table(titles=("a", "b"), rows=(("1", "2"),))
    assert list(format_block(table, Look())) == ["  a  b", "  1  2"]


def test_a_ladder_has_packets_and_calls_by_time() -> None:
    lines = list(format_block(LADDER, Look()))
    assert lines[2].endswith("0.00  connect() called")
    assert lines[3].startswith("    0.10  ├ SYN seq 0 ─")
    assert lines[3].endswith("▶")
    assert lines[4].startswith("   20.00  ◀─")
    assert lines[4].endswith("─ SYN+ACK seq 0 ack 1 ┤")
    assert lines[5].endswith("connect() returns")
    assert lines[7].endswith("✗")
    assert "PSH+ACK(1,400) seq 1 ack 0 dropped" in lines[7]
    assert lines[-1].endswith(" recv() raises ConnectionResetError")
    assert len({len(line) for line in lines if line[-1] in "▶┤"}) == 1


def test_a_datagram_has_no_numbers() -> None:
    ladder = Ladder(caption="", server_port=SERVER, packets=(DATAGRAM,))
    assert "├ UDP(400) ─" in list(format_block(ladder, Look()))[-1]


def test_an_encoding_without_the_signs_gets_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sockctl.cli.explain_output.find_encoding", lambda: "ascii")
    assert all(line.isascii() for line in format_block(LADDER, Look()))


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_blocks(columns: int, *, colour: bool) -> None:
    look = Look(columns, colour)
    lines = [line for block in (LADDER, TABLE, TEXT) for line in (*format_block(block, look), "")]
    check_screen("-".join(["explain", str(columns), *(["colour"] if colour else [])]), "\n".join(lines))


@pytest.mark.parametrize("width", [1, 12, 20])
def test_a_terminal_too_narrow_for_a_ladder_cuts_it(width: int) -> None:
    lines = list(format_block(LADDER, Look(width=width)))
    assert any(line.endswith("client    server") for line in lines)
