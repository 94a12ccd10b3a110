"""The talk service without an operator: for each client, a program reads the messages and writes the answers."""

import os
import select
from collections.abc import Callable, Sequence
from typing import ClassVar

from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.events.services import ProgramEnded, ProgramStarted
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import SAYING_KINDS
from sockctl.services.program import PATIENCE, WELL_ENDED, OutputLines, Patience, Program
from sockctl.services.program_slots import BUSY, ProgramSlots
from sockctl.services.program_warnings import ProgramWarnings

PROGRAM_ENDED = Reason(
    "program_ended",
    "The program that answered the client has ended, so the server closed the connection.",
    "Goodbye!",
)

LAST_ANSWERS_S = 1.0
"""How long a program may still answer when the server stops."""
IDLE_S = 600.0
"""How long client and program may both be silent."""


class ProgramReply(MessageService, Conversation[Peer]):
    """Starts a program for each client that says something: messages become its lines, and its lines messages.

    A silent client gets no program. The server stops a program that is idle for too long, and closes its connection. A
    new program would not know the messages to the old one, and the client would not notice.

    Args:
        argv: The program and its arguments.
        max_programs: The number of programs that may run at once.
        idle_s: How long a client and its program may both be silent.
        last_answers_s: How long a program may still answer when the server stops.
        patience: How long a program may take to end.
    """

    name: ClassVar[str] = "talk"

    def __init__(
        self,
        argv: Sequence[str],
        *,
        max_programs: int,
        idle_s: float = IDLE_S,
        last_answers_s: float = LAST_ANSWERS_S,
        patience: Patience = PATIENCE,
    ) -> None:
        self._argv = list(argv)
        self._max_programs = max_programs
        self._idle_s = idle_s
        self._last_answers_s = last_answers_s
        self._patience = patience
        self._slots = ProgramSlots(max_programs)
        self._journal: Journal

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return f"It serves talk: {self._argv[0]} answers what clients say, one process for each."

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal

    def converse(self, peer: Peer) -> None:
        """Wait for the first line of `peer`, and let a program answer it and all others."""
        peer.admit()  # talk has no login
        lines: bytes | None = b""
        while not lines:
            peer.wait({}, for_input=True)
            lines = _read_lines(peer)
            if lines is None:
                return
        if not self._slots.acquire(peer):
            text = f"All {self._max_programs} programs that may answer are busy. Please come back later."
            peer.tell("error", text, code="busy")
            raise peer.give_up(BUSY)
        try:
            self._answer(peer, lines)
        finally:
            self._slots.release(peer)

    def _answer(self, peer: Peer, lines: bytes) -> None:
        environment = {**os.environ, "SOCKCTL_PEER": peer.shown, "SOCKCTL_CONNECTION": str(peer.number)}
        try:
            program = Program(self._argv, environment, patience=self._patience)
        except OSError as error:
            why = error.strerror or str(error)
            self._journal.emit(ProgramEnded(connection=peer.number, peer=peer.shown, pid=0, how=why))
            peer.tell("error", "The program that answers can't be started right now.", code="program_failed")
            raise peer.give_up(PROGRAM_ENDED) from error
        self._journal.emit(ProgramStarted(connection=peer.number, peer=peer.shown, pid=program.pid))
        exchange = _Exchange(
            peer, program, self._journal, lines, idle_s=self._idle_s, on_use=lambda: self._slots.note_use(peer)
        )
        idle = ""
        try:
            exchange.run()
        except TimeoutError:
            idle = f"neither side said anything for {self._idle_s:g} s (--program-idle)"
        except PeerGoneError:
            if peer.stopping:
                exchange.finish(self._last_answers_s)
            raise
        finally:
            how = program.end()
            self._journal.emit(ProgramEnded(connection=peer.number, peer=peer.shown, pid=program.pid, how=idle or how))
        if idle:
            peer.tell("notice", f"The program that answered has ended: nothing was said for {self._idle_s:g} s.")
            raise peer.give_up(DisconnectReason.IDLE_TIMEOUT)
        if how not in WELL_ENDED:
            peer.tell("error", f"The program that answered has failed: {how}.", code="program_failed")
        elif not exchange.input_ended:  # else the client has ended the program by its own end
            peer.tell("notice", f"The program that answered has ended: {how}.")
        else:
            return
        raise peer.give_up(PROGRAM_ENDED)


def _read_lines(peer: Peer) -> bytes | None:
    """Return the messages that `peer.wait` has found, as lines for a program; None at the end of the input."""
    messages = peer.pop_found()
    if messages is None:
        return None
    return b"".join(one.text.encode() + b"\n" for one in messages if one.kind in SAYING_KINDS)


class _Exchange:
    """Carries lines between a client and its program, in one thread that waits for both at once.

    The thread reads nothing from the client while lines wait for the program. It reads nothing from the program while
    messages wait for the client. So a slow side slows the other down, and the queues stay short.

    Args:
        lines: The client's messages so far.
        idle_s: As for `ProgramReply`.
        on_use: Called when the client or the program says something.

    Attributes:
        input_ended: Whether the client has ended its input.
    """

    def __init__(
        self,
        peer: Peer,
        program: Program,
        journal: Journal,
        lines: bytes,
        *,
        idle_s: float,
        on_use: Callable[[], None],
    ) -> None:
        self._peer = peer
        self._program = program
        self._journal = journal
        self._to_program = bytearray(lines)
        self._idle_s = idle_s
        self._on_use = on_use
        self._idle_until = Deadline.after(idle_s)
        self.input_ended = False
        self._answers = OutputLines()
        self._warnings = ProgramWarnings(journal, peer, program.pid)
        self._open = {program.stdout, program.stderr}

    def run(self) -> None:
        """Carry messages and lines until the program writes no more.

        Raises:
            PeerGoneError: The connection ends.
            TimeoutError: Neither side has said anything for too long.
        """
        program = self._program
        while program.stdout in self._open:
            events = dict.fromkeys(self._open, select.POLLIN)
            if self._to_program and program.stdin is not None:
                events[program.stdin] = select.POLLOUT
            for_input = not self._to_program and not self.input_ended and program.stdin is not None
            ready = self._peer.wait(events, for_input=for_input, until=self._idle_until)
            if for_input:
                self._read_messages()
            if self._to_program and program.stdin in ready | {None}:
                del self._to_program[: program.write(self._to_program)]
            if self.input_ended and not self._to_program:
                program.close_stdin()
            self._read_program(ready)

    def finish(self, last_answers_s: float) -> None:
        """Send the client the program's last answers, for `last_answers_s` at most, as the server stops."""
        program, until = self._program, Deadline.after(last_answers_s)
        program.write(self._to_program)
        program.close_stdin()
        while program.stdout in self._open and not until.has_passed:
            poll = select.poll()
            for descriptor in self._open:
                poll.register(descriptor, select.POLLIN)
            self._read_program({descriptor for descriptor, _ in poll.poll(until.left_ms)})

    def _read_messages(self) -> None:
        lines = _read_lines(self._peer)
        if lines is None:
            self.input_ended = True
        elif lines:
            self._to_program += lines
            self._note_use()

    def _note_use(self) -> None:
        self._idle_until = Deadline.after(self._idle_s)
        self._on_use()

    def _read_program(self, ready: set[int]) -> None:
        program = self._program
        for descriptor in ready & self._open:
            data = program.read(descriptor)
            if data is None:
                continue
            if not data:
                self._open.discard(descriptor)
            if descriptor == program.stdout:
                self._note_use()
                for line in self._answers.feed(data):
                    self._peer.tell("say", line)
            else:
                self._warnings.feed(data)
