"""A program that answers: started, spoken with, slow, silent, failing, and ended with its client."""

import contextlib
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.services.program import LINE_CHARACTERS, OutputLines, Patience, Program
from sockctl.services.program_reply import PROGRAM_ENDED, ProgramReply
from tests.support.frames import FrameClient, frame_client, framed
from tests.support.programs import PATIENT
from tests.support.running import TIMEOUT_S, Running, receive_all, running, send_and_half_close, wait_until


def python(code: str) -> list[str]:
    return [sys.executable, "-u", "-c", code]


UPPER = python("import sys\nfor line in sys.stdin: print(line.strip().upper())")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ended(run: Running) -> str:
    how: str = run.sink.wait_for("program_ended")[0].how
    return how


def test_nc_gets_an_answer_to_each_line() -> None:
    with running(ProgramReply(UPPER, max_programs=1, patience=PATIENT)) as run, run.client() as sock:
        send_and_half_close(sock, b"one\ntwo\nthree")
        assert receive_all(sock) == b"sockctl/1 talk\r\nONE\r\nTWO\r\nTHREE\r\n"
        assert ended(run) == "exit code 0"
        assert run.sink.wait_for("client_disconnected")[0].reason is DisconnectReason.CLIENT_CLOSED


def test_frames_one_in_answer_to_another() -> None:
    with running(ProgramReply(UPPER, max_programs=1)) as run, frame_client(run.port) as client:
        for number in range(100):
            client.line(f"message {number}")
            client.expect("say", text=f"MESSAGE {number}")
        pid = run.sink.wait_for("program_started")[0].pid
        assert is_running(pid)
        client.send(kind="bye")
        assert client.rest() == []
        wait_until(lambda: not is_running(pid))
        assert run.sink.wait_for("client_disconnected")[0].reason is DisconnectReason.CLIENT_EXIT


def test_what_a_program_writes_is_text_of_a_stranger() -> None:
    code = (
        r"import sys; sys.stdout.buffer.write(b'\x1b[31mred\x07 \xe2\x80\xae[/x] caf\xe9\r\nno end'); input(); input()"
    )
    with running(ProgramReply(python(code), max_programs=1)) as run, frame_client(run.port) as client:
        client.line("start")
        assert client.expect("say")["text"] == "[31mred [/x] caf\N{REPLACEMENT CHARACTER}"
        client.line("end")
        client.expect("say", text="no end")


def test_a_program_that_ends() -> None:
    code = "print('that was all'); raise SystemExit(3)"
    with running(ProgramReply(python(code), max_programs=1, patience=PATIENT)) as run:
        with frame_client(run.port) as client:
            client.line("start")
            client.expect("say", text="that was all")
            client.expect("error", text="The program that answered has failed: exit code 3.", code="program_failed")
            client.expect("bye", reason="program_ended")
            assert client.receive() is None
        assert run.sink.wait_for("client_disconnected")[0].reason is PROGRAM_ENDED


def test_what_it_writes_to_standard_error_is_an_event() -> None:
    code = r"import sys; print('\x1b[31mcareful', file=sys.stderr); input()"
    with running(ProgramReply(python(code), max_programs=1)) as run, frame_client(run.port) as client:
        client.line("start")
        assert run.sink.wait_for("program_warned")[0].said == "\x1b[31mcareful", "the sink makes it safe"


def test_a_limit_on_how_many_at_once() -> None:
    with running(ProgramReply(UPPER, max_programs=1)) as run:
        with frame_client(run.port) as first:
            first.line("a")
            first.expect("say", text="A")
            with frame_client(run.port) as second:
                second.line("b")
                second.expect("error", code="busy")
                second.expect("bye", reason="busy")
        run.sink.wait_for("client_disconnected", 2)  # its place is free only then
        with frame_client(run.port) as third:
            third.line("b")
            third.expect("say", text="B")


def test_no_address_keeps_the_others_out() -> None:
    with running(ProgramReply(UPPER, max_programs=3)) as run, contextlib.ExitStack() as stack:

        def comes(source: str) -> FrameClient:
            one = stack.enter_context(frame_client(run.port, source=source))
            one.line("hello")
            return one

        crowd = []
        for _ in range(3):  # one after the other: the second is idle for longest in the end
            crowd.append(comes("127.0.0.2"))
            crowd[-1].expect("say", text="HELLO")
        crowd[0].line("I am not idle")
        crowd[0].expect("say", text="I AM NOT IDLE")
        comes("127.0.0.3").expect("say", text="HELLO")
        crowd[1].expect("error", code="busy")
        crowd[1].expect("bye", reason="busy")
        for source in ("127.0.0.2", "127.0.0.3"):
            comes(source).expect("error", code="busy")
        comes("127.0.0.4").expect("say", text="HELLO")
        crowd[2].expect("error", code="busy")
        comes("127.0.0.5").expect("error", code="busy")
        crowd[0].line("here")
        crowd[0].expect("say", text="HERE")


def test_a_client_that_says_nothing_takes_no_place() -> None:
    with running(ProgramReply(UPPER, max_programs=1)) as run:
        with frame_client(run.port) as silent, frame_client(run.port) as client:
            silent.send(kind="novelty", text="no line")
            client.line("a")
            client.expect("say", text="A")
            assert len(run.sink.named("program_started")) == 1
            silent.sock.shutdown(1)
            assert silent.rest() == []
        assert run.sink.wait_for("client_disconnected")[0].reason is DisconnectReason.CLIENT_CLOSED


@pytest.mark.parametrize("code", ["input()", "import time; time.sleep(60)"])
def test_an_idle_program_ends_and_its_connection_too(code: str) -> None:
    """Whether it waits for its client or does something else."""
    with running(ProgramReply(python(f"{code}; {code}"), max_programs=1, idle_s=0.5)) as run:
        with frame_client(run.port) as client:
            client.line("a")
            client.expect("notice", text="The program that answered has ended: nothing was said for 0.5 s.")
            client.expect("bye", reason="idle_timeout")
            assert client.receive() is None
        assert ended(run) == "neither side said anything for 0.5 s (--program-idle)"
        wait_until(lambda: not is_running(run.sink.named("program_started")[0].pid))
        assert run.sink.wait_for("client_disconnected")[0].reason is DisconnectReason.IDLE_TIMEOUT


def test_a_program_with_which_somebody_speaks_is_not_idle() -> None:
    with running(ProgramReply(UPPER, max_programs=1, idle_s=5.0)) as run, frame_client(run.port) as client:
        started = time.monotonic()
        while time.monotonic() - started < 5.5:
            client.line("a")
            client.expect("say", text="A")
            time.sleep(0.05)
        assert not run.sink.named("program_ended")


def test_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with running(ProgramReply([str(missing)], max_programs=1)) as run, frame_client(run.port) as client:
        client.line("start")
        client.expect("error", code="program_failed")
        client.expect("bye")
        assert ended(run) == "No such file or directory"


IGNORING = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", code])
print(child.pid)
time.sleep(60)
"""


@pytest.mark.parametrize("how", ["reset", "bye", "stop"])
def test_it_ends_with_its_connection_and_so_does_what_it_started(how: str) -> None:
    """Even a program that reads nothing and heeds no SIGTERM; its own children too."""
    service = ProgramReply(
        python(IGNORING), max_programs=1, last_answers_s=0.05, patience=Patience(end_s=0.01, terminate_s=0.05)
    )
    with running(service) as run, frame_client(run.port) as client:
        client.line("start")
        child = int(client.expect("say")["text"])
        pid = run.sink.wait_for("program_started")[0].pid
        stopper = threading.Thread(target=run.stop, args=(3.0,))
        if how == "stop":
            stopper.start()
        elif how == "bye":
            client.send(kind="bye")
        else:
            client.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SOL_SOCKET, SO_LINGER: close with a reset
            client.sock.close()
        assert ended(run) == "the server ended it with its connection"
        wait_until(lambda: not is_running(pid))
        wait_until(lambda: not is_running(child))
        if how == "stop":
            stopper.join(TIMEOUT_S)


def test_a_client_that_resets_while_the_program_does_not_read() -> None:
    """What it said waits for the program, so nothing is read from it: its end must be noticed all the same."""
    with running(ProgramReply(python("import time; time.sleep(60)"), max_programs=1)) as run:
        with frame_client(run.port) as client:
            client.sock.settimeout(0.5)
            with pytest.raises(TimeoutError):
                client.sock.sendall(framed(kind="line", text="x" * 1000) * 100_000)
            client.sock.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
        assert ended(run) == "the server ended it with its connection"


def test_a_program_that_reads_slowly_loses_nothing() -> None:
    code = "import sys, time\ntime.sleep(0.5)\nfor line in sys.stdin: print(len(line))"
    with running(ProgramReply(python(code), max_programs=1)) as run, run.client() as sock:
        sock.sendall(b"".join(b"y" * 1000 + b"\n" for _ in range(1000)))
        send_and_half_close(sock, b"")
        assert receive_all(sock).split(b"\r\n")[1:-1] == [b"1001"] * 1000


def test_a_program_that_closes_its_input_may_go_on_writing() -> None:
    code = "import os, time\nos.close(0)\ntime.sleep(0.2)\nprint('still here')"
    with running(ProgramReply(python(code), max_programs=1)) as run, frame_client(run.port) as client:
        client.line("start")
        run.sink.wait_for("program_started")
        client.line("lost")
        client.expect("say", text="still here")
        client.expect("notice")


def test_it_knows_whom_it_answers() -> None:
    code = "import os; print(os.environ['SOCKCTL_PEER'], os.environ['SOCKCTL_CONNECTION'])"
    with running(ProgramReply(python(code), max_programs=1)) as run, frame_client(run.port) as client:
        client.line("start")
        host, port = client.sock.getsockname()
        client.expect("say", text=f"{host}:{port} 1")


def test_a_program_killed_by_a_signal() -> None:
    program = Program(python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), dict(os.environ))
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)  # a busy machine takes its time to start it
    assert program.end() == "killed by SIGKILL"


def test_a_group_of_its_own() -> None:
    program = Program(python("input()"), dict(os.environ))
    assert os.getpgid(program.pid) == program.pid != os.getpgid(0)
    os.killpg(program.pid, signal.SIGTERM)
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
    assert program.end() == "killed by SIGTERM"


def test_lines_of_output() -> None:
    lines = OutputLines()
    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o\r\n\n") == ["two", ""]
    assert lines.feed("ß".encode()[:1]) == []
    assert lines.feed("ß".encode()[1:] + b"\n") == ["ß"]
    assert lines.feed(b"z" * (2 * LINE_CHARACTERS + 1)) == ["z" * LINE_CHARACTERS] * 2 + ["z"]
    assert lines.feed(b"rest") == []
    assert lines.feed(b"") == ["rest"]


def test_a_long_line_is_a_message_in_pieces() -> None:
    code = "print('\"' * 100_000); input(); input()"
    with running(ProgramReply(python(code), max_programs=1)) as run, frame_client(run.port) as client:
        client.line("start")
        got = ""
        while len(got) < 100_000:
            got += client.expect("say")["text"]
        assert got == '"' * 100_000


def test_the_stop_still_brings_the_answers() -> None:
    code = (
        "import sys\nlines = input(), input()\nprint('both are here', file=sys.stderr)\n"
        "sys.stdin.read()\nfor line in lines: print(line.upper())"  # the stop ends its input
    )
    with (
        running(ProgramReply(python(code), max_programs=1, last_answers_s=TIMEOUT_S)) as run,
        frame_client(run.port) as client,
    ):
        client.line("one")
        client.line("two")
        run.sink.wait_for("program_warned")  # the program has got both, and answered none
        stopper = threading.Thread(target=run.stop, args=(TIMEOUT_S,))
        stopper.start()
        said = [(one["kind"], one["text"]) for one in client.rest()]
        client.sock.close()
        stopper.join(TIMEOUT_S)
        assert said[:2] == [("say", "ONE"), ("say", "TWO")]
        assert said[2][0] == "bye"
