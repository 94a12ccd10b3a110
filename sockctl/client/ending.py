"""The judgement on a connection's end: whether the user has got what was wanted."""

from typing import TYPE_CHECKING

from sockctl.client.receiver import Receiver
from sockctl.client.sender import Sender
from sockctl.client.settings import ClientSettings
from sockctl.errors import SockctlError

if TYPE_CHECKING:
    from sockctl.client.protocol import MessageProtocol
    from sockctl.client.script import Script


def judge_end(
    error: SockctlError | None,
    protocol: "MessageProtocol | None",
    script: "Script | None",
    receiver: Receiver,
    sender: Sender,
    settings: ClientSettings,
    *,
    input_ended: bool,
) -> SockctlError | None:
    """Return the error of the connection's end. A refusal takes the place of an error that it has caused.

    Args:
        error: The error with which it ended, if it did.
        protocol: The messages; None where the wire is raw.
        script: The steps, in place of an input.
        receiver: Has counted what came.
        sender: Has the lines that were not sent.
        settings: How the session behaves.
        input_ended: Whether the input, or the script, has nothing more to send.
    """
    if script is not None:
        is_wanted = script.ended and script.ends_by_expecting
    elif settings.count is not None:
        is_wanted = receiver.has_enough
    else:
        is_wanted = settings.terminal and input_ended
    if protocol is None or (error is None and is_wanted):
        return error
    return protocol.refusals.judge(error, protocol.question, unsent_lines=len(sender.held), by_hand=settings.terminal)
