"""The steps of a script, in the order in which the options for them stand on the command line."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sockctl.cli.commands import Command
from sockctl.cli.session_options import ContentOptions, ScriptOptions
from sockctl.errors import OptionError

if TYPE_CHECKING:
    from sockctl.client.script_steps import Step

ORDER = "order of the options"
"""Where a context keeps that order."""


class InOrder(Command):
    """A command that knows in which order its options were given, also between different ones."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Parse the arguments, and keep the order in the context."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


def read_steps(order: Sequence[str], wanted: ScriptOptions, content: ContentOptions) -> "list[Step]":
    """Return the steps of a script; none where standard input is read.

    Args:
        order: The names of the options, as they stand on the command line.
        wanted: The steps.
        content: What is sent and shown.

    Raises:
        OptionError: The options about content let no such script run.
        ScriptError: A step is wrong.
    """
    if not (wanted.send or wanted.expect or wanted.script):
        return []
    from sockctl.client.script_steps import Send, parse_steps

    steps = parse_steps(order, send=wanted.send or [], expect=wanted.expect or [], script=wanted.script)
    if content.recv_only and any(isinstance(step, Send) for step in steps):
        raise OptionError("The script sends lines, and --recv-only sends nothing: leave one out.")
    if content.send_only and not all(isinstance(step, Send) for step in steps):
        raise OptionError("The script waits, and --send-only shows and hears nothing: leave one out.")
    return steps
