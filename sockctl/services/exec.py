"""The exec service: a program for each client, whose bytes are the program's standard input and output."""

import signal
import threading
import time
from collections.abc import Mapping, Sequence
from typing import ClassVar

from sockctl.errors import HttpRefusedError, PeerGoneError
from sockctl.events.connection import InputEnded, ProtocolBroken
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.events.services import ProgramEnded, ProgramsBusy, ProgramStarted
from sockctl.local_user import parse_user_host
from sockctl.net.client_description import NOBODY, ClientDescription
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import Conversation, RawService
from sockctl.protocol.http_rules import make_refusal
from sockctl.services.program import PROGRAM_DESCRIPTORS, Patience, Program
from sockctl.services.program_pipe import ProgramPipe
from sockctl.services.program_reply import PROGRAM_ENDED
from sockctl.services.program_slots import BUSY
from sockctl.services.program_terminal import TerminalProgram
from sockctl.services.program_warnings import ProgramWarnings
from sockctl.services.request_gate import HOLD_S, RequestGate

HTTP_REFUSED = Reason(
    "http_refused",
    "The client sent an HTTP request, as any web page in a browser may send it to this machine. So the program got "
    "nothing of it, and the server closed the connection (--http lets requests in).",
)
HALF_CLOSE_TIMEOUT = Reason(
    "half_close_timeout",
    "The client had ended its input, and then its program wrote nothing for as long as --half-close-timeout allows. So "
    "the server ended the program and closed the connection.",
)
PROGRAM_FAILED = Reason("program_failed", "The program could not be started, so the server closed the connection.")


class Exec(RawService, Conversation[RawPeer]):
    """Starts a program for each client, and carries their bytes.

    Args:
        argv: The program and its arguments.
        environment: The variables of every program, beside those about its client.
        max_programs: The number of programs that may run at once.
        patience: How long a program may take to end.
        half_close_s: How long a program may write nothing, once its client has ended its input; None for any time.
        terminal: Whether each program has a terminal.
        http: Whether a program gets the HTTP requests that come by TCP; a web page may have sent them.
        hold_s: How long first bytes that may begin an HTTP request wait for more, in seconds.
    """

    name: ClassVar[str] = "exec"

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        max_programs: int,
        patience: Patience,
        half_close_s: float | None = None,
        terminal: bool = False,
        http: bool = False,
        hold_s: float = HOLD_S,
    ) -> None:
        self.further_descriptors = PROGRAM_DESCRIPTORS * max_programs
        self._argv = list(argv)
        self._environment = dict(environment)
        self._max_programs = max_programs
        self._patience = patience
        self._half_close_s = half_close_s
        self._terminal = terminal
        self._http = http
        self._hold_s = hold_s
        self._lock = threading.Lock()  # guards the two below: each conversation's thread uses them
        self._places = max_programs
        self._running: set[Program] = set()
        self._journal: Journal

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return f"It serves exec: each client gets a process of {self._argv[0]}, raw bytes in and out."

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal

    def stop(self) -> None:
        """Kill the programs that are left, whose threads have not ended in time."""
        self.abandon()

    def abandon(self) -> None:
        """Kill all programs."""
        with self._lock:
            for program in self._running:
                program.signal(signal.SIGKILL)

    def count(self) -> dict[str, int]:
        """Return how many programs run."""
        with self._lock:
            return {"programs": len(self._running)}

    def describe_client(self, peer: RawPeer) -> ClientDescription:
        """Return the process of a client's program."""
        return ClientDescription(name=f"pid {peer.state.pid}") if isinstance(peer.state, Program) else NOBODY

    def converse(self, peer: RawPeer) -> None:
        """Start a program for `peer`, and carry bytes until one of them ends."""
        with self._lock:
            has_place = self._places > 0
            self._places -= has_place
        if not has_place:
            self._journal.emit(ProgramsBusy(connection=peer.number, peer=peer.shown, max_programs=self._max_programs))
            peer.send_ready(b"sockctl: all programs are busy, come back later\r\n")
            raise peer.give_up(BUSY)
        try:
            self._serve(peer)
        finally:
            with self._lock:
                self._places += 1

    def _serve(self, peer: RawPeer) -> None:
        started = time.monotonic()
        try:
            start = TerminalProgram if self._terminal else Program
            program = start(self._argv, {**self._environment, **make_peer_variables(peer)}, patience=self._patience)
        except OSError as error:
            why = error.strerror or str(error)
            self._journal.emit(ProgramEnded(connection=peer.number, peer=peer.shown, pid=0, how=why))
            raise peer.give_up(PROGRAM_FAILED) from error
        with self._lock:
            self._running.add(program)
        peer.state = program
        self._journal.emit(ProgramStarted(connection=peer.number, peer=peer.shown, pid=program.pid, wire=self._wire))
        warnings = ProgramWarnings(self._journal, peer, program.pid)
        pipe = ProgramPipe(
            peer,
            program,
            warnings,
            patience=self._patience,
            gate=RequestGate(is_open=self._http or parse_user_host(peer.address) is not None, hold_s=self._hold_s),
            half_close_s=self._half_close_s,
            on_input_end=lambda: self._note_end(peer),
        )
        try:
            pipe.run()
            peer.end_output()  # before the server waits for children of the program
            if pipe.timed_out:
                raise peer.give_up(HALF_CLOSE_TIMEOUT)
            if not peer.input_ended:
                raise peer.give_up(PROGRAM_ENDED)
        except HttpRefusedError as error:
            self._journal.emit(
                ProtocolBroken(connection=peer.number, peer=peer.shown, code=error.code, error=str(error))
            )
            said = f"sockctl: {error}"  # no response can follow the program's output
            peer.send_ready(f"{said}\r\n".encode() if pipe.bytes_out else make_refusal(said))
            program.signal(signal.SIGTERM)
            raise peer.give_up(HTTP_REFUSED) from error
        except PeerGoneError:
            if peer.reason is DisconnectReason.DRAIN_TIMEOUT:
                program.signal(signal.SIGKILL)
            raise
        finally:
            how = self._end(program)
            warnings.close()
            self._journal.emit(
                ProgramEnded(
                    connection=peer.number,
                    peer=peer.shown,
                    pid=program.pid,
                    how=how,
                    bytes_in=pipe.bytes_in,
                    bytes_out=pipe.bytes_out,
                    seconds=round(time.monotonic() - started, 3),
                )
            )

    def _note_end(self, peer: RawPeer) -> None:
        self._journal.emit(InputEnded(connection=peer.number, peer=peer.shown))

    @property
    def _wire(self) -> str:
        return "terminal" if self._terminal else "bytes"

    def _end(self, program: Program) -> str:
        """End a program; until it has ended, `abandon` can kill it."""
        program.press()
        with self._lock:
            self._running.discard(program)
        return program.reap()


def make_peer_variables(peer: RawPeer) -> dict[str, str]:
    """Return the environment variables that describe a client to its program."""
    variables = {
        "SOCKCTL_CONNECTION": str(peer.number),
        "SOCKCTL_PEER": peer.shown,
        "SOCKCTL_PEER_HOST": peer.address,
    }
    if (uid := parse_user_host(peer.address)) is None:
        return {**variables, "SOCKCTL_PEER_PORT": str(peer.port)}
    return {**variables, "SOCKCTL_PEER_UID": str(uid), "SOCKCTL_PEER_PID": str(peer.port)}
