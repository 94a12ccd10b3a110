"""Bytes between a client and its program: both ways, half-closes, and every way in which one of the two ends."""

import contextlib
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.raw_peer import RawPeer
from sockctl.services.exec import HALF_CLOSE_TIMEOUT
from sockctl.services.program import Patience
from sockctl.services.program_reply import PROGRAM_ENDED
from tests.support.programs import (
    ENDED_BY_SERVER,
    NEVER_READS,
    PATIENT,
    ended,
    python,
    reason,
    reset,
    serving,
    sh,
)
from tests.support.running import (
    TIMEOUT_S,
    receive_all,
    receive_exactly,
    send_and_half_close,
    wait_until,
)


def test_bytes_pass_unchanged_and_both_half_closes_too() -> None:
    data = os.urandom(3_000_000)
    with serving("cat", patience=PATIENT) as run, run.client() as sock:
        sender = threading.Thread(target=send_and_half_close, args=(sock, data))
        sender.start()
        assert receive_all(sock) == data
        sender.join()
        event = ended(run)
        assert (event.how, event.bytes_in, event.bytes_out) == ("exit code 0", len(data), len(data))
        disconnected = run.sink.wait_for("client_disconnected")[0]
        assert (disconnected.bytes_in, disconnected.bytes_out) == (len(data), len(data))
        assert disconnected.reason is DisconnectReason.CLIENT_CLOSED
        assert len(run.sink.wait_for("input_ended")) == 1


def test_a_program_may_speak_first() -> None:
    with serving(*sh("printf '\\000\\377hello'; cat")) as run, run.client() as sock:
        assert receive_exactly(sock, 7) == b"\x00\xffhello"


def test_the_client_may_go_on_when_the_program_has_ended_its_output() -> None:
    script = "echo first; exec >&-; cat >&2"
    with serving(*sh(script), patience=PATIENT) as run, run.client() as sock:
        assert receive_all(sock) == b"first\n"
        send_and_half_close(sock, b"still heard\n")
        assert run.sink.wait_for("program_warned")[0].said == "still heard"
        assert ended(run).how == "exit code 0"


def test_the_program_may_go_on_when_the_client_has_ended_its_input() -> None:
    script = "cat >&2; sleep 0.3; echo later"
    with serving(*sh(script), patience=PATIENT) as run, run.client() as sock:
        send_and_half_close(sock, b"all\n")
        assert receive_all(sock) == b"later\n"
        assert ended(run).how == "exit code 0"


def test_the_end_of_the_program_ends_the_connection() -> None:
    with serving(*sh('read line; echo "<$line>"; exit 3')) as run, run.client() as sock:
        sock.sendall(b"go\n")
        assert receive_all(sock) == b"<go>\n"
        assert ended(run).how == "exit code 3"
        assert reason(run) is PROGRAM_ENDED
        assert not run.sink.named("input_ended"), "the client has not ended its input"


def test_a_program_that_dies_at_once() -> None:
    with serving(*sh("kill -9 $$")) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert ended(run).how == "killed by SIGKILL"


def test_all_output_reaches_a_client_that_reads_late() -> None:
    with serving("head", "-c", "300000", "/dev/zero") as run, run.client() as sock:
        ended(run)
        assert len(receive_all(sock)) == 300_000


def test_a_child_that_holds_the_output_does_not_hold_the_connection(tmp_path: Path) -> None:
    """Nor does it live longer than the program, though it heeds no SIGTERM."""
    fifo = tmp_path / "fifo"
    script = f"mkfifo {fifo}; (trap '' TERM; echo child; echo > {fifo}; sleep 60) & read line < {fifo}; echo parent"
    with serving(*sh(script)) as run, run.client() as sock:
        assert receive_all(sock).split() == [b"child", b"parent"]
        assert ended(run).how == "exit code 0"


def test_a_child_that_has_left_the_group_does_not_hold_the_connection(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import os, time\n"
        "reading, writing = os.pipe()\n"
        "if os.fork(): os.read(reading, 1)\n"
        "else:\n"
        f"    os.setsid(); open({str(pid_file)!r}, 'w').write(str(os.getpid()))\n"
        "    os.write(writing, b'x'); time.sleep(60)\n"
    )
    with serving(*python(code)) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert ended(run).how == "exit code 0"
        os.kill(int(pid_file.read_text()), signal.SIGKILL)  # no server can know it


@pytest.mark.parametrize("how", ["reset", "reset while it doesn't read", "idle"])
def test_a_program_that_never_reads_and_heeds_no_signal_ends_with_its_connection(how: str) -> None:
    code = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{NEVER_READS}"
    with serving(*python(code), idle_s=4.0 if how == "idle" else None) as run, run.client() as sock:
        assert receive_exactly(sock, 2) == b"up"
        if how == "reset while it doesn't read":
            sock.settimeout(0.3)
            with contextlib.suppress(TimeoutError):
                sock.sendall(bytes(50_000_000))
        if how != "idle":
            reset(sock)
        assert ended(run).how == ENDED_BY_SERVER
        assert reason(run) is (DisconnectReason.IDLE_TIMEOUT if how == "idle" else DisconnectReason.CLIENT_RESET)


def test_a_reset_behind_a_fin_ends_a_program_that_does_nothing() -> None:
    """A client that was killed: its FIN comes, and its kernel answers what the server sends with a reset."""
    with serving(*sh("read line; sleep 60")) as run, run.client() as sock:
        sock.shutdown(socket.SHUT_WR)
        run.sink.wait_for("input_ended")
        reset(sock)
        assert ended(run).how == ENDED_BY_SERVER
        assert reason(run) is DisconnectReason.CLIENT_RESET


def test_output_for_a_client_that_has_vanished_ends_the_program() -> None:
    with serving(*sh("cat; trap '' PIPE; echo probe; sleep 60")) as run:
        run.client().close()
        assert ended(run).how == ENDED_BY_SERVER
        assert reason(run) is DisconnectReason.CLIENT_RESET


def test_a_client_that_has_ended_its_input_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[int] = []
    monkeypatch.setattr(RawPeer, "probe_soon", lambda peer: probed.append(peer.number))
    with serving("cat", patience=PATIENT) as run, run.client() as sock:
        sock.sendall(b"a")
        assert receive_exactly(sock, 1) == b"a"
        assert not probed
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
        assert probed == [1]


def test_a_silent_program_ends_when_its_client_has_ended_its_input() -> None:
    with serving(*sh("sleep 60"), half_close_s=0.3) as run, run.client() as sock:
        begin = time.monotonic()
        sock.shutdown(socket.SHUT_WR)
        assert receive_all(sock) == b""
        assert time.monotonic() - begin >= 0.3
        assert ended(run).how == ENDED_BY_SERVER
        assert reason(run) is HALF_CLOSE_TIMEOUT


def test_a_program_that_goes_on_writing_is_not_ended_by_a_half_close() -> None:
    script = "cat; for n in 1 2 3 4 5; do sleep 0.5; echo $n; done"
    with serving(*sh(script), half_close_s=2.0, patience=PATIENT) as run, run.client() as sock:
        time.sleep(2.1)
        send_and_half_close(sock, b"0\n")
        assert receive_all(sock).split() == [b"0", b"1", b"2", b"3", b"4", b"5"]
        assert ended(run).how == "exit code 0"
        assert reason(run) is DisconnectReason.CLIENT_CLOSED


def test_output_without_end_waits_for_the_client() -> None:
    """Neither the server nor the program takes memory for it."""
    with serving("cat", "/dev/zero") as run, run.client() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        process = run.sink.wait_for("program_started")[0].pid
        before = -1
        while before != (now := int(Path(f"/proc/{process}/io").read_text().split("wchar: ")[1].split()[0])):
            before = now
            time.sleep(0.3)
        connection = run.server.inspect()[0]
        assert connection is not None
        assert before < 20_000_000, "it goes on writing though nobody reads"
        assert len(receive_exactly(sock, 1_000_000)) == 1_000_000
        reset(sock)
        event = ended(run)
        assert event.how == ENDED_BY_SERVER
        assert event.bytes_out >= 1_000_000


def test_a_client_that_sends_first_and_reads_late_blocks_nobody() -> None:
    """The program's output waits, while its input still comes."""
    code = "import sys, os\nos.write(1, bytes(65536))\nos.write(2, b'%d\\n' % len(sys.stdin.buffer.read()))\n"
    with serving(*python(code), patience=PATIENT) as run, run.client() as sock:
        send_and_half_close(sock, bytes(10_000_000))
        assert run.sink.wait_for("program_warned")[0].said == "10000000"
        assert len(receive_all(sock)) == 65_536


def test_input_that_the_program_no_longer_reads_is_dropped() -> None:
    with serving(*sh("exec <&-; sleep 0.5; echo done"), patience=PATIENT) as run, run.client() as sock:
        with contextlib.suppress(ConnectionError):
            sock.sendall(bytes(5_000_000))
        assert receive_exactly(sock, 5) == b"done\n"
        assert ended(run).how == "exit code 0"


def test_standard_error_without_end_is_summed() -> None:
    with serving("sh", "-c", "yes complaint >&2") as run, run.client() as sock:
        wait_until(lambda: sum(one.lines for one in run.sink.named("program_warnings_summed")) > 1000)
        assert len(run.sink.named("program_warned")) < 200
        reset(sock)
        ended(run)


def test_the_stop_gives_a_program_its_input_and_the_client_its_last_output() -> None:
    script = "cat; sleep 0.3; echo bye"
    with serving(*sh(script), patience=PATIENT) as run, run.client() as sock:
        sock.sendall(b"one\n")
        assert receive_exactly(sock, 4) == b"one\n"
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        assert receive_all(sock) == b"bye\n"
        assert ended(run).how == "exit code 0"
        assert reason(run) is DisconnectReason.SERVER_STOPPING
        sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped


@pytest.mark.parametrize("script", ["trap 'echo got it; exit 0' TERM; echo up; while :; do sleep 0.05; done"])
def test_a_program_may_answer_to_the_signal_of_a_stop(script: str) -> None:
    patience = Patience(end_s=0.05, terminate_s=TIMEOUT_S, last_output_s=0.1)
    with serving(*sh(script), patience=patience) as run, run.client() as sock:
        assert receive_exactly(sock, 3) == b"up\n"
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        assert receive_all(sock) == b"got it\n"
        sock.close()
        stopper.join(TIMEOUT_S)
        assert run.stopped
        assert ended(run).how == ENDED_BY_SERVER


def test_a_program_that_closes_both_outputs_ends_soon_after_its_client() -> None:
    with serving(*sh("exec >&- 2>&-; sleep 60")) as run, run.client() as sock:
        assert receive_all(sock) == b""
        assert not select.select([sock], [], [], 0.2)[1]
        sock.shutdown(socket.SHUT_WR)
        assert ended(run).how == ENDED_BY_SERVER
