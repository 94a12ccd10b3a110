import pytest

from sockctl.events.base import ConnectionEvent, Record
from sockctl.events.explain import Explain
from sockctl.events.formats import FileFormat, PipeFormat, TerminalFormat, encode_json
from sockctl.events.proxy import BadNetwork, BytesHeld, ConnectionDropped, DataPassed, SideEnded, TargetConnected

PEER = "127.0.0.1:50000"


def passed(**fields: object) -> DataPassed:
    return DataPassed(**{"connection": 3, "peer": PEER, "direction": "to_target", "bytes": 6, **fields})  # type: ignore[arg-type]  # as each test gives them


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (passed(gap_s=0.0015), "> 6 bytes after 2 ms."),
        (passed(direction="to_client", sentences=("One.", "Two.")), "< 6 bytes: One. Two."),
        (passed(bytes=3 << 20, reads=2, seconds=1.0), "> 3.0 MiB in 2 reads within 1.0 s."),
        (
            TargetConnected(connection=1, peer=PEER, target="localhost:80", address="[::1]:80", seconds=0.0003),
            "Connected to localhost:80 at [::1]:80 in 300 µs.",
        ),
        (
            TargetConnected(connection=1, peer=PEER, target="a:80", address="a:80", seconds=0.1, tls="TLSv1.3 with X"),
            "Connected to a:80 in 100 ms, under TLSv1.3 with X.",
        ),
        (SideEnded(connection=1, peer=PEER, direction="to_client"), "< The target sends no more."),
        (
            SideEnded(connection=1, peer=PEER, direction="to_target", cut=True),
            "> The client sends no more, and TLS says that bytes may be missing.",
        ),
        (BytesHeld(connection=1, peer=PEER, direction="to_target"), "> Bytes are held back on purpose"),
        (ConnectionDropped(connection=1, peer=PEER, bytes=1), "Broken off on purpose after 1 byte (--drop-after)."),
    ],
)
def test_what_happened(event: ConnectionEvent, text: str) -> None:
    assert event.happened.startswith(text)


@pytest.mark.parametrize(
    ("faults", "text"),
    [
        ({"delay_s": 0.1}, "holds all bytes back for 100 ms (--delay)."),
        ({"bytes_per_s": 65_536}, "lets 64.0 KiB a second pass each way (--rate)."),
        ({"drop_after": 9, "delay_s": 1.0}, "back for 1.0 s (--delay), and breaks each connection off after 9 bytes"),
    ],
)
def test_a_bad_network_says_what_it_does(faults: dict[str, int], text: str) -> None:
    assert text in BadNetwork(**faults).happened


def test_bytes_are_shown_below_the_line_in_each_form_of_text() -> None:
    shown = passed(hex=b"hello\n", offset=16, below="seen")
    record = Record(0.0, "proxy", shown)
    for text_format in (
        FileFormat(),
        PipeFormat(colours=False),
        TerminalFormat(colours=False, columns=lambda: 80, explain=Explain.NEVER),
    ):
        first, below, dump = text_format(record).split("\n")
        assert first.endswith("> 6 bytes.")
        assert below == "seen"
        assert dump.startswith("> 00000010  68 65 6c 6c 6f 0a  ")


def test_json_has_all_bytes_in_hex_and_no_lines_for_people() -> None:
    line = encode_json(Record(0.0, "proxy", passed(hex=b"\x00\xff", offset=0, below="seen", seen=[{"kind": "x"}])))
    assert '"hex": "00ff", "offset": 0' in line
    assert '"seen": [{"kind": "x"}]' in line
    assert "below" not in line
    assert "sentences" not in line


def test_an_event_with_bytes_takes_its_memory_and_is_never_summed() -> None:
    assert passed(hex=b"x" * 1000, offset=0).held_bytes > passed().held_bytes + 4000
    assert not passed(hex=b"x", offset=0).is_summed
    assert passed().is_summed
