"""The terminal at which the operator of a server sits, as the server's run sees it."""

from collections.abc import Callable

from sockctl.events.formats import Format
from sockctl.events.journal import Sink
from sockctl.terminal import is_in_background


class OperatorTerminal:
    """A terminal where nobody sits. Main thread only."""

    @property
    def edits(self) -> bool:
        """Whether a line is edited: then Ctrl-C leaves nothing on the screen."""
        return False

    def watch(
        self,
        sink: Sink,
        make_format: Callable[[], Format],  # noqa: ARG002  nothing is shown here
        *,
        is_screen: bool,  # noqa: ARG002
        is_log: bool = True,  # noqa: ARG002
    ) -> Sink:
        """Return the sink to which the server's events go, in place of `sink`.

        Args:
            sink: Where they would go.
            make_format: Makes the format in which the terminal shows events.
            is_screen: Whether `sink` writes to the terminal itself.
            is_log: Whether all events go there, not only those of a log that has failed.
        """
        return sink

    def start(self, wake: Callable[[], None]) -> None:
        """Let the operator type; called when the server takes clients, and the first events are written.

        Args:
            wake: Has the main thread call `stop_job`; any thread may call it.
        """

    def stop_job(self) -> None:
        """Stop the job, until the shell goes on with it."""

    def stop(self) -> None:
        """Let nothing more be typed; called when the server is about to stop."""


def may_edit() -> bool:
    """Return whether the operator gets a line editor: there is a terminal that can have one, and it is this job's."""
    from sockctl.client.tty.terminal_mode import can_edit_lines

    return can_edit_lines() and not is_in_background()
