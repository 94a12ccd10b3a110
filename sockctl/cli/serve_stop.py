"""Stops a server in order when a signal asks for it, and at once when another one comes."""

import os
import signal
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.events.journal import Journal
from sockctl.interrupts import SAME_SIGNAL_S
from sockctl.signals import StopSignals
from sockctl.terminal import STDIN, begin_line, is_terminal

if TYPE_CHECKING:
    from sockctl.cli.serve_tls import ServingTls


class StoppableServer(Protocol):
    """A server that runs."""

    def stop(self, drain_timeout_s: float) -> bool:
        """Stop it in order; return whether everything has ended."""
        ...

    def abandon(self) -> None:
        """End what would outlive it: the process is about to end."""
        ...


class Watcher(Protocol):
    """What answers those who watch the server."""

    def stop(self) -> None:
        """End it, when the server has stopped."""
        ...

    def abandon(self) -> None:
        """Leave nothing behind on the disk: the process is about to end."""
        ...


LAST_WORDS_S = 0.2
"""How long the journal may take to write the last events when a second signal ends the process."""


def wait_for_stop(signals: StopSignals, tls: "ServingTls | None", terminal: OperatorTerminal) -> None:
    """Wait for a signal that stops the server, from the terminal or from elsewhere.

    SIGHUP loads the certificate again. It stops a server without a certificate, and one whose terminal has gone, unless
    that is to outlive its terminal.
    """
    had_terminal = is_terminal(STDIN) and not signals.outlives_terminal
    goes_on = tls is not None or signals.outlives_terminal
    terminal.start(signals.wake)
    while (received := signals.wait()) is None or (received is signal.SIGHUP and goes_on):
        if received is None:
            terminal.stop_job()
        elif had_terminal and not is_terminal(STDIN):
            return
        elif tls is not None:
            tls.reload()
    if received is signal.SIGINT and not terminal.edits:
        begin_line()


def stop(
    server: StoppableServer,
    watchers: Sequence[Watcher],
    drain_timeout_s: float,
    signals: StopSignals,
    journal: Journal,
) -> ExitCode:
    """Stop the server; a second signal meanwhile ends the process at once."""
    ended = False

    def work() -> None:
        nonlocal ended
        try:
            ended = server.stop(drain_timeout_s)
            for watcher in watchers:
                watcher.stop()
            journal.close()  # in this thread, so that a second signal ends this wait, too
        finally:
            signals.wake()

    stopper = threading.Thread(target=work, name="sockctl-stopper", daemon=True)
    stopper.start()
    if signals.skip(SAME_SIGNAL_S) and signals.wait() is not None:
        server.abandon()
        for watcher in watchers:
            watcher.abandon()
        journal.close(LAST_WORDS_S)
        os._exit(ExitCode.INTERRUPTED)
    stopper.join()
    return ExitCode.DONE if ended else ExitCode.FAILED
