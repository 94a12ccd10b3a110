"""A program that answers one client: what it is given, what it says in lines, and how it ends."""

import os
import select
import signal

import pytest

from sockctl.services.program import LINE_CHARACTERS, OutputLines, Program
from tests.support.running import TIMEOUT_S

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_lines_of_output_in_pieces_of_any_size(size: int) -> None:
    data = "one\r\ntwö\n\nfour".encode()
    lines = OutputLines()
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    assert [line for piece in pieces for line in lines.feed(piece)] == ["one", "twö", ""]
    assert lines.feed(b"") == ["four"]
    assert lines.feed(b"") == []


def test_a_long_line_comes_in_pieces() -> None:
    lines = OutputLines()
    pieces = lines.feed(b"x" * (LINE_CHARACTERS + 10) + b"\n")
    assert [len(piece) for piece in pieces] == [LINE_CHARACTERS, 10]
    assert lines.feed(b"y" * LINE_CHARACTERS) == ["y" * LINE_CHARACTERS], "without an end it isn't kept for ever"


def test_what_is_no_utf_8_is_replaced() -> None:
    lines = OutputLines()
    assert lines.feed(b"a\xffb\n\xc3") == ["a\ufffdb"]
    assert lines.feed(b"") == ["\ufffd"]


def receive(program: Program, descriptor: int) -> bytes:
    """Read to the end of one output."""
    data = b""
    while True:
        assert select.select([descriptor], [], [], TIMEOUT_S)[0], "the program says nothing"
        part = program.read(descriptor)
        if part == b"":
            return data
        data += part or b""


def wait_for_exit(program: Program) -> None:
    """Wait for the end of its process, which comes a moment after that of its outputs."""
    os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)


def test_what_it_reads_comes_back_and_it_ends_with_its_input() -> None:
    program = Program(["cat"], ENVIRONMENT)
    assert program.read(program.stdout) is None, "nothing yet"
    assert program.write(b"one\n") == 4
    program.close_stdin()
    assert receive(program, program.stdout) == b"one\n"
    wait_for_exit(program)
    assert program.end() == "exit code 0"


def test_nothing_waits_for_a_program_that_does_not_read() -> None:
    program = Program(["sleep", "60"], ENVIRONMENT)
    written = 0
    while count := program.write(bytes(65_536)):
        written += count
    assert written > 0
    assert program.end() == "the server ended it with its connection"


def test_what_it_no_longer_reads_is_lost() -> None:
    program = Program(["true"], ENVIRONMENT)
    assert receive(program, program.stdout) == b""
    wait_for_exit(program)
    assert program.write(b"one\n") == 4
    assert program.stdin is None
    assert program.write(b"two\n") == 4
    assert program.end() == "exit code 0"


def test_its_environment_and_its_warnings() -> None:
    program = Program(["sh", "-c", 'echo "$WHO in $PATH" >&2; exit 3'], {**ENVIRONMENT, "WHO": "ann"})
    assert receive(program, program.stderr).decode() == f"ann in {os.environ['PATH']}\n"
    wait_for_exit(program)
    assert program.end() == "exit code 3"


def test_a_program_that_is_killed() -> None:
    program = Program(["sh", "-c", "kill -9 $$"], ENVIRONMENT)
    assert receive(program, program.stdout) == b""
    wait_for_exit(program)
    assert program.end() == "killed by SIGKILL"


def test_a_program_that_cannot_be_started() -> None:
    with pytest.raises(OSError, match="No such file"):
        Program(["/no/such/program"], {})


def test_its_children_end_with_it() -> None:
    program = Program(["sh", "-c", "sleep 60 & echo started"], ENVIRONMENT)
    with os.fdopen(os.dup(program.stdout), "rb") as output:  # the child holds its other end
        os.set_blocking(output.fileno(), True)
        assert output.readline() == b"started\n"
        program.end()
        assert select.select([output], [], [], TIMEOUT_S)[0], "the child still runs"
        assert output.read() == b""


def test_its_end_is_seen_and_its_last_output_is_there() -> None:
    program = Program(["sh", "-c", "echo last; sleep 60 & exit 7"], ENVIRONMENT)
    if program.exit_fd is not None:
        assert select.select([program.exit_fd], [], [], TIMEOUT_S)[0]
    wait_for_exit(program)
    assert program.has_exited
    assert program.count_unread() == 5
    assert program.read(program.stdout, 2) == b"la"
    assert program.end() == "exit code 7"


def test_it_has_no_descriptors_but_its_three() -> None:
    with open(os.devnull, "rb") as other:  # noqa: PTH123  a descriptor that could leak
        os.set_inheritable(other.fileno(), True)
        program = Program(["ls", "/proc/self/fd"], ENVIRONMENT)
        assert receive(program, program.stdout).split() == [b"0", b"1", b"2", b"3"], "3 is its own: the folder it reads"
    program.end()


def test_no_descriptor_is_left() -> None:
    before = sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208  as above
    for _ in range(3):
        Program(["true"], ENVIRONMENT).end()
        with pytest.raises(OSError, match="No such file"):
            Program(["/no/such/program"], ENVIRONMENT)
    assert sorted(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  as above


def test_a_program_that_is_asked_to_end_was_ended_by_the_server() -> None:
    program = Program(["sleep", "60"], ENVIRONMENT)
    program.signal(signal.SIGTERM)
    wait_for_exit(program)
    assert program.end() == "the server ended it with its connection"
