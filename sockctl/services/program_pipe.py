"""Carries bytes between a client and its program, in one thread that waits for both at once.

While a side doesn't take its bytes, the thread reads nothing from the other side. At most 64 KiB wait for each side,
beside the pipes and the kernel's buffers. The two directions end apart. The client's FIN closes the program's standard
input. The end of the program's standard output becomes a FIN for the client. The end of the program ends both, once its
output is sent, even if another process still holds the pipe.

The thread stops a program by the end of its input, then by SIGTERM, then by SIGKILL. Its output still goes to the
client meanwhile.

A client that has vanished sends a FIN, as one does that only ends its input: nothing tells them apart. What the program
writes to it brings a reset, which ends the program. For a silent program the kernel's probes bring that reset, once the
client's kernel has forgotten the connection (Linux: after 60 s).
"""

import select
from collections.abc import Callable

from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError
from sockctl.net.raw_peer import RawPeer
from sockctl.services.program import READ_BYTES, Patience, Program
from sockctl.services.program_warnings import ProgramWarnings
from sockctl.services.request_gate import RequestGate

LOOK_S = 0.1
"""How often the thread looks whether the program has ended, where the system can't report it."""


class ProgramPipe:
    """The two directions between a client and its program.

    Args:
        peer: The client.
        program: The program.
        warnings: Takes the bytes of the program's standard error.
        patience: How long the program may take to end.
        gate: What the client's bytes pass before the program gets them.
        half_close_s: How long a program may write nothing, once the client has ended its input; None for any time.
        on_input_end: Called when the client has ended its input.

    Attributes:
        bytes_in: Bytes that the program has got.
        bytes_out: Bytes that it has written to its standard output, and that were read.
        timed_out: Whether the program was ended since it wrote nothing for `half_close_s`.
    """

    def __init__(
        self,
        peer: RawPeer,
        program: Program,
        warnings: ProgramWarnings,
        *,
        patience: Patience,
        gate: RequestGate,
        half_close_s: float | None = None,
        on_input_end: Callable[[], None],
    ) -> None:
        self._peer = peer
        self._program = program
        self._warnings = warnings
        self._patience = patience
        self._gate = gate
        self._half_close_s = half_close_s
        self._on_input_end = on_input_end
        self._to_program = memoryview(b"")
        self._input_ended = False
        self._input_left: int | None = None  # bytes of the client that a stopping server still reads; None for all
        self._last = b""  # the last byte for the program
        self._open = {descriptor for descriptor in (program.stdout, program.stderr) if descriptor >= 0}
        self._output_ended = False  # whether the client knows that nothing more comes
        self._output_left: int | None = None  # bytes of output that a program that has exited leaves; None before that
        self._stopping = False
        self._signals = list(program.signals)  # those that the program has not got yet
        self._until = Deadline.after(None)  # when the program gets the next of them
        self._silence_s: float | None = None  # how long it may write nothing before it gets the first
        self.bytes_in = self.bytes_out = 0
        self.timed_out = False

    def run(self) -> None:
        """Carry bytes until the program has ended, and the client has its output.

        Raises:
            PeerGoneError: The connection ends before that.
            HttpRefusedError: The client's first bytes are refused.
        """
        while self._output_left is None or self._output_left > 0 or self._peer.queued_bytes:
            try:
                self._carry()
            except PeerGoneError:
                if not self._peer.stopping or self._stopping:
                    raise
                self._begin_stop()
            except TimeoutError:
                self._press()

    @property
    def _reads_client(self) -> bool:
        return not (self._input_ended or self._to_program) and self._output_left is None

    def _carry(self) -> None:
        """Wait until a side is ready, and carry its bytes."""
        program, peer = self._program, self._peer
        if self._output_left and not peer.queued_bytes:  # it is all there, and nothing more counts
            self._read_program()
            return
        for_input = self._reads_client
        ready = self._wait(for_input=for_input)
        if peer.fileno() in ready:
            if peer.queued_bytes:
                peer.send_ready()
                self._note_motion()
            if for_input:
                self._read_client()
        if self._gate.until.has_passed:
            self._give(self._gate.open())
        if program.stdin in ready:
            self._write_program()
        if program.stderr in ready:
            self._read_warnings()
        if program.stdout in ready and not peer.queued_bytes:
            self._read_program()
        if self._output_left is None and (program.exit_fd in ready or (program.exit_fd is None and program.has_exited)):
            self._begin_end()
        self._end_directions()

    def _wait(self, *, for_input: bool) -> set[int]:
        """Return the descriptors that are ready; raise TimeoutError when the program must get the next signal."""
        looks = self._program.exit_fd is None and self._output_left is None
        until = min(self._until, self._gate.until, Deadline.after(LOOK_S if looks else None))
        try:
            return self._peer.wait(self._list_events(), for_input=for_input, until=until, stopping=self._stopping)
        except TimeoutError:
            if self._until.has_passed:
                raise
            return set()

    def _list_events(self) -> dict[int, int]:
        program = self._program
        events = dict.fromkeys(self._open, select.POLLIN)
        if self._peer.queued_bytes or self._output_left is not None:
            events.pop(program.stdout, None)
        if self._to_program and program.stdin is not None:
            events[program.stdin] = select.POLLOUT
        if program.exit_fd is not None and self._output_left is None:
            events[program.exit_fd] = select.POLLIN
        return events

    def _read_client(self) -> None:
        left = self._input_left
        data = self._peer.receive_ready(READ_BYTES if left is None else min(READ_BYTES, left))
        if data is None:
            if left is not None:
                self._end_input()
        elif not data:
            self._on_input_end()
            self._peer.probe_soon()
            self._end_input()
        else:
            if left is not None:
                self._input_left = max(0, left - len(data))
            self._give(self._gate.admit(data))
            if self._input_left == 0:
                self._end_input()

    def _give(self, data: bytes) -> None:
        """Give bytes of the client to the program, which has taken all earlier ones."""
        if data:
            self._last = data[-1:]
            self._to_program = memoryview(data)
            self._write_program()

    def _end_input(self) -> None:
        """Note that the client's input has ended; the program's input ends behind the bytes that wait."""
        self._give(self._gate.open())
        self._input_ended = True
        self._to_program = memoryview(bytes(self._to_program) + self._program.make_input_end(self._last))

    def _write_program(self) -> None:
        """Write as many bytes as the program's pipe takes. Bytes for a program that reads no more are lost."""
        taken = self._program.write(self._to_program)
        if self._program.stdin is not None:
            self.bytes_in += taken
        self._to_program = self._to_program[taken:]

    def _read_program(self) -> None:
        left = self._output_left
        data = self._program.read(self._program.stdout, READ_BYTES if left is None else min(READ_BYTES, left))
        if data is None:
            self._output_left = left if left is None else 0
            return
        if not data:
            self._open.discard(self._program.stdout)
            self._output_left = left if left is None else 0
            return
        self.bytes_out += len(data)
        if left is not None:
            self._output_left = left - len(data)
        self._note_motion()
        self._peer.send_ready(data)

    def _note_motion(self) -> None:
        """Note that output has moved: a program whose time runs gets it anew, unless it has had a signal."""
        if self._silence_s is not None and not self._is_signalled:
            self._until = Deadline.after(self._silence_s)

    def _read_warnings(self) -> None:
        data = self._program.read(self._program.stderr)
        if data is not None:
            self._warnings.feed(data)
            if not data:
                self._open.discard(self._program.stderr)

    def _begin_end(self) -> None:
        """Note that the program has exited: its output still goes to the client."""
        self._output_left = self._program.count_unread() if self._program.stdout in self._open else 0
        self._until = Deadline.after(None)
        if self._program.stderr in self._open:
            self._read_warnings()

    def _begin_stop(self) -> None:
        """Give the program the bytes that the client has sent so far, then the end of its input."""
        self._stopping = True
        if not self._input_ended:
            self._input_left = self._peer.count_unread()
            if not self._input_left:
                self._end_input()
        self._silence_s = self._patience.last_output_s
        self._until = Deadline.after(self._silence_s)
        self._end_directions()

    def _end_directions(self) -> None:
        """End each direction that has nothing more to carry; the program ends soon after both have."""
        program, peer = self._program, self._peer
        if self._input_ended and not self._to_program:
            program.close_stdin()
        if program.stdout not in self._open and not peer.queued_bytes and not self._output_ended:
            self._output_ended = True
            peer.end_output()
        if self._input_ended and not (self._to_program or self._stopping or self._is_signalled):
            self._limit_time(is_over=self._output_ended or peer.hung_up)

    def _limit_time(self, *, is_over: bool) -> None:
        """Let the time of a program run that has got all of its client's input, and is not to end yet.

        Args:
            is_over: Whether no output can reach the client, either.
        """
        if self._output_left is not None:
            return
        if is_over:
            self._silence_s = None
            self._until = min(self._until, Deadline.after(self._patience.end_s))
        elif self._silence_s is None and self._half_close_s is not None:
            self._silence_s = self._half_close_s
            self._until = Deadline.after(self._silence_s)

    @property
    def _is_signalled(self) -> bool:
        return len(self._signals) < len(self._program.signals)

    def _press(self) -> None:
        """Send the program the next signal."""
        self.timed_out = self.timed_out or (self._silence_s is not None and not self._stopping)
        self._program.signal(self._signals.pop(0) if len(self._signals) > 1 else self._signals[0])
        self._until = Deadline.after(self._patience.terminate_s)
