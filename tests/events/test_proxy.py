from pathlib import Path
from typing import Any

import pytest

from sockctl.events.base import ConnectionEvent, Record
from sockctl.events.explain import Explain
from sockctl.events.formats import FileFormat, Format, PipeFormat, TerminalFormat, encode_json
from sockctl.events.proxy import (
    NO_RESETS,
    BadNetwork,
    BytesHeld,
    ConnectionDropped,
    DataPassed,
    SideEnded,
    TargetBroken,
    TargetConnected,
    TargetFailed,
)
from sockctl.events.sinks import FileSink

PEER = "127.0.0.1:50000"


def passed(**fields: object) -> DataPassed:
    return DataPassed(**{"connection": 3, "peer": PEER, "direction": "to_target", "bytes": 6, **fields})  # type: ignore[arg-type]  # as each test gives them


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (passed(gap_s=0.000207), "> 6 bytes after 0.207 ms."),
        (passed(gap_s=2.51), "> 6 bytes after 2.5 s."),
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
    ("kind", "fields"),
    [
        (TargetFailed, {"target": "a:80", "error": "No."}),
        (TargetBroken, {"error": "no"}),
        (ConnectionDropped, {"bytes": 1}),
    ],
)
def test_a_client_at_a_unix_socket_gets_no_reset(kind: type[ConnectionEvent], fields: dict[str, Any]) -> None:
    assert "reset" in kind(connection=1, peer=PEER, **fields).explanation
    assert NO_RESETS not in kind(connection=1, peer=PEER, **fields).explanation
    local = kind(connection=1, peer="uid 1000 (ann), pid 42", **fields).explanation
    assert local.endswith(NO_RESETS)
    assert "reset" not in local.replace(NO_RESETS, "")


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


def test_what_is_below_the_line_is_shown_in_each_form_of_text_and_not_in_json(tmp_path: Path) -> None:
    record = Record(0.0, "proxy", passed(offset=16, below="sëen\n> 00000010  68\n".encode()))
    styles: list[Format] = [
        FileFormat(),
        PipeFormat(colours=False),
        TerminalFormat(colours=False, columns=lambda: 80, explain=Explain.NEVER),
        encode_json,
    ]
    for number, style in enumerate(styles):
        sink = FileSink(tmp_path / str(number), style)
        sink.write([record, record])
        sink.close()
        lines = (tmp_path / str(number)).read_text().splitlines()
        below = [] if style is encode_json else ["sëen", "> 00000010  68"]
        assert [line for line in lines if "6 bytes." not in line] == below * 2


def test_json_has_all_bytes_in_hex_and_no_lines_for_people() -> None:
    line = encode_json(Record(0.0, "proxy", passed(hex=b"\x00\xff", offset=0, below=b"seen", seen=[{"kind": "x"}])))
    assert '"hex": "00ff", "offset": 0' in line
    assert '"seen": [{"kind": "x"}]' in line
    assert "below" not in line
    assert "sentences" not in line


def test_an_event_with_bytes_takes_its_memory_and_is_never_summed() -> None:
    assert passed(hex=b"x" * 1000, offset=0).held_bytes >= passed().held_bytes + 1000
    assert passed(below=b"x" * 5000, offset=0).held_bytes >= passed().held_bytes + 5000
    assert not passed(below=b"x", offset=0).is_summed
    assert passed().is_summed
