"""Sessions over UDP without a socket: datagrams, loss, refusals, and how a session ends."""

from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.client.script_steps import parse_steps
from sockctl.client.session_events import DatagramToShow, EndReason, EventToEmit, Signal
from sockctl.errors import ConnectTimeoutError, ExpectationError, UnreachableError, UnsendableError
from sockctl.net.udp.framing import FAILURE, LONGEST_BYTES, find_frames, frame
from tests.support.session import Played

REFUSED = frame(b"refused", FAILURE)


def opened(tmp_path: Path, **options: Any) -> Played:
    played = Played(tmp_path, udp=True, messages=False, **options)
    played.connect()
    return played


def script(*steps: str) -> Any:
    """Return the steps of a script: ``>text`` is sent, ``<pattern`` is expected."""
    send, expect = ([step[1:] for step in steps if step[0] == kind] for kind in "><")
    order = ["send" if step[0] == ">" else "expect" for step in steps]
    return parse_steps(order, send=send, expect=expect, script=None)


def sent(played: Played) -> list[bytes]:
    return [bytes(data) for _, data in find_frames(played.sent)]


def shown(played: Played, *, is_sent: bool = False) -> list[bytes]:
    events = [event for event in played.events if isinstance(event, DatagramToShow)]
    return [event.data for event in events if event.is_sent == is_sent]


def told(played: Played, name: str) -> list[Any]:
    return [each.event for each in played.events if isinstance(each, EventToEmit) and each.event.name == name]


def test_a_line_is_a_datagram(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\n\ntw")
    played.type(b"o\nthree")
    assert sent(played) == [b"one", b"", b"two"]
    played.type(b"")
    assert sent(played) == [b"one", b"", b"two", b"three"] == shown(played, is_sent=True)
    assert not any(event is Signal.SENDING_ENDED for event in played.events), "UDP has no half-close"


def test_a_line_may_end_with_crlf(tmp_path: Path) -> None:
    played = opened(tmp_path, crlf=True)
    played.type(b"one\n\n")
    assert sent(played) == [b"one\r\n", b"\r\n"]


@pytest.mark.parametrize("cut", [1, 3, 10])
def test_blocks(cut: int, tmp_path: Path) -> None:
    played = opened(tmp_path, datagram_bytes=4)
    data = b"ab\ncdefghij"
    for at in range(0, len(data), cut):
        played.type(data[at : at + cut])
    assert sent(played) == [b"ab\nc", b"defg"]
    played.type(b"")
    assert sent(played) == [b"ab\nc", b"defg", b"hij"]


def test_the_session_ends_when_all_is_answered(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\ntwo\n")
    played.type(b"")
    played.receive(frame(b"two"))
    assert played.ended is None
    played.receive(frame(b"one"))
    assert shown(played) == [b"two", b"one"]
    assert played.ended is not None
    assert (played.ended.reason, played.ended.error) == (EndReason.STOPPED, None)
    played.step(lambda now: played.session.close(EndReason.STOPPED, now))
    [ended] = told(played, "datagrams_ended")
    assert (ended.sent, ended.answered, ended.lost, ended.out_of_order, ended.bytes_out) == (2, 2, 0, 1, 6)
    assert "2 answered, 0 lost, 1 out of order." in ended.text


def test_loss_is_told_when_the_time_is_up(tmp_path: Path) -> None:
    played = opened(tmp_path, timeout_s=2.0)
    played.type(b"one\n")
    played.wait(1)
    played.type(b"two\n")
    played.type(b"")
    played.receive(frame(b"two"))
    played.wait(0.9)
    assert played.ended is None
    played.wait(0.2)
    assert [event.count for event in told(played, "datagrams_lost")] == [1]
    assert played.ended is not None
    assert isinstance(played.ended.error, ConnectTimeoutError)
    assert str(played.ended.error) == "1 datagram of 2 got no answer within 2 s (--timeout)."


def test_what_is_lost_need_not_be_an_error(tmp_path: Path) -> None:
    for options, waited_s in (({"quit_after_s": 0.5}, 0.5), ({"send_only": True}, 0.2), ({"terminal": True}, 2.0)):
        played = opened(tmp_path, **options)
        played.type(b"one\n")
        played.type(b"")
        played.wait(waited_s)
        assert played.ended is not None, options
        assert played.ended.error is None, options


def test_a_refusal_where_nobody_was_heard(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\n")
    played.receive(REFUSED)
    assert played.ended is None
    played.type(b"")
    assert played.ended is not None
    assert isinstance(played.ended.error, UnreachableError)
    assert "127.0.0.1:9090 refused: nothing listens" in str(played.ended.error)
    assert find_exit_code(played.ended.error) is ExitCode.UNREACHABLE
    assert not played.remarks, "it is told once"


def test_a_datagram_that_does_not_go_out_leaves_the_others_waiting(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\ntoo long\n")
    played.type(b"")
    played.receive(frame(b"Message too long", FAILURE))
    assert played.ended is None
    played.receive(frame(b"one"))
    assert played.ended is not None
    played.step(lambda now: played.session.close(EndReason.STOPPED, now))
    [ended] = told(played, "datagrams_ended")
    assert (ended.answered, ended.lost, ended.late) == (1, 1, 0)


def test_a_refusal_while_the_input_goes_on(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\n")
    played.receive(REFUSED, REFUSED)
    played.wait(1)
    assert len(played.remarks) == 1
    played.type(b"two\n")
    played.receive(frame(b"two"))
    played.type(b"")
    assert played.ended is not None
    assert isinstance(played.ended.error, ConnectTimeoutError), "one got no answer"


def test_a_refusal_ends_a_script_at_once(tmp_path: Path) -> None:
    played = opened(tmp_path, steps=script(">one", "<one"))
    played.receive(REFUSED)
    assert played.ended is not None
    assert isinstance(played.ended.error, UnreachableError)


def test_a_script(tmp_path: Path) -> None:
    played = opened(tmp_path, steps=script(">one", "<ONE", ">two", "<(?i)two$"))
    assert sent(played) == [b"one"]
    played.receive(frame(b"ONE\n"))
    assert sent(played) == [b"one", b"two"]
    played.receive(frame(b"TWO"))
    assert played.ended is not None
    assert played.ended.error is None


def test_an_expectation_that_is_not_met(tmp_path: Path) -> None:
    played = opened(tmp_path, steps=script(">one", "<two"), timeout_s=1.0)
    played.receive(frame(b"one"))
    played.wait(1.1)
    assert played.ended is not None
    assert isinstance(played.ended.error, ExpectationError)


def test_a_count(tmp_path: Path) -> None:
    played = opened(tmp_path, count=2)
    played.type(b"a\nb\nc\n")
    played.receive(frame(b"a"), frame(b"") + frame(b"x"))
    assert shown(played) == [b"a", b""]
    assert played.ended is not None
    assert played.ended.error is None


@pytest.mark.parametrize("ended", [b"\n", b""])
def test_a_line_that_is_too_long(ended: bytes, tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"fine\n" + b"x" * LONGEST_BYTES + b"\n")
    played.receive(frame(b"fine"), frame(b"x" * LONGEST_BYTES))
    played.type(b"y" * (LONGEST_BYTES + 1) + ended)
    assert [len(each) for each in sent(played)] == [4, LONGEST_BYTES], "nothing of it was sent"
    assert played.ended is not None
    assert isinstance(played.ended.error, UnsendableError)
    assert "Line 3 of the input has" in str(played.ended.error)
    assert "65,508 bytes, and a datagram has room for 65,507" in str(played.ended.error)


def test_lines_before_one_that_is_too_long_are_sent_and_answered(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\ntwo\n" + b"y" * (LONGEST_BYTES + 1) + b"\nthree\n")
    assert sent(played) == [b"one", b"two"]
    assert not played.session.wants_input, "nothing behind it is sent"
    played.receive(frame(b"one"))
    assert played.ended is None
    played.receive(frame(b"two"))
    assert shown(played) == [b"one", b"two"]
    assert played.ended is not None
    assert "Line 3 of the input has 65,508 bytes" in str(played.ended.error)


def test_a_line_that_is_too_long_is_told_though_answers_are_missing(tmp_path: Path) -> None:
    played = opened(tmp_path, timeout_s=2.0)
    played.type(b"one\n" + b"y" * (LONGEST_BYTES + 1))
    played.wait(2.1)
    assert played.ended is not None
    assert isinstance(played.ended.error, UnsendableError)


def test_a_person_may_go_on_after_a_line_that_is_too_long(tmp_path: Path) -> None:
    played = opened(tmp_path, terminal=True)
    played.type(b"y" * (LONGEST_BYTES + 1) + b"\nfine\n")
    assert sent(played) == [b"fine"]
    assert "nothing of the line was sent" in played.remarks[0]


def test_each_datagram_is_told_until_they_are_many(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"\n" * 25)
    played.receive(frame(b""))
    played.wait(1.1)
    events = told(played, "datagram_sent")
    assert sum(event.datagrams for event in events) == 25
    assert len(events) < 25
    assert "Sent an empty datagram." in events[0].text
    assert "datagrams of 0 bytes together within 1.0 s" in events[-1].text
    assert sum(event.datagrams for event in told(played, "datagram_received")) == 1


def test_the_input_waits_while_too_many_are_unanswered(tmp_path: Path) -> None:
    played = opened(tmp_path, max_unanswered=10)
    played.type(b"\n" * 9)
    assert played.session.wants_input
    played.type(b"x\n")
    assert not played.session.wants_input
    played.receive(frame(b"x"))
    assert played.session.wants_input


def test_the_idle_limit(tmp_path: Path) -> None:
    played = opened(tmp_path, idle_timeout_s=3.0)
    played.type(b"a\n")
    played.receive(frame(b"a"))
    played.wait(3.1)
    assert played.ended is not None
    assert find_exit_code(played.ended.error or ExpectationError()) is ExitCode.TIMED_OUT
