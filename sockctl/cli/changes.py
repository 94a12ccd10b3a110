"""The options, the question and the output that all commands share that change a store.

Each command prints sentences, or with ``--json`` one object: ``{"changed": […]}``. It has each changed entry in the
form of the listing: a removed one as it was, others as they are now. The list is empty if nothing has changed.
"""

import contextlib
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from sockctl.cli import options
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.prompts import confirm, may_ask
from sockctl.cli.tables import print_json, print_sentences
from sockctl.errors import SockctlError
from sockctl.terminal import say

IfExists = Annotated[bool, typer.Option("--if-exists", help="Succeed where there is none.", show_default=False)]
IfMissing = Annotated[
    bool, typer.Option("--if-missing", help="Succeed, and change nothing, where there is one.", show_default=False)
]


def print_changes(changed: Sequence[Mapping[str, Any]], *sentences: str, json: bool) -> None:
    """Print what a command has changed."""
    if json:
        print_json({"changed": changed})
    else:
        print_sentences(*sentences)


@contextlib.contextmanager
def tolerate(error_kind: type[SockctlError], sentence: str, *, wanted: bool, json: bool) -> Iterator[None]:
    """Print that nothing has changed instead of raising an error, if the user wants that.

    Args:
        error_kind: The class of the error.
        sentence: The sentence to print in place of the error.
        wanted: Whether ``--if-exists`` or ``--if-missing`` was given; else the error passes.
        json: Whether ``--json`` was given.
    """
    try:
        yield
    except error_kind:
        if not wanted:
            raise
        print_changes([], f"{sentence} Nothing has changed.", json=json)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovalOptions:
    """The options of a command that removes something, by the names that users write."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.", show_default=False)] = False
    if_exists: IfExists = False
    json: options.Json = False
    no_input: options.NoInput = False

    def confirm(self, question: str, *, refusal: str, needs_yes: bool = False) -> None:
        """Ask at the terminal whether the command may go on; end it with exit code 1 if not.

        Args:
            question: The question.
            refusal: The sentence for a no.
            needs_yes: Whether a script must give ``--yes`` where no user can be asked.

        Raises:
            InputNeededError: No user can be asked, and ``--yes`` is missing; or the answer was Ctrl-D.
        """
        if self.yes or not (needs_yes or may_ask(no_input=self.no_input)):
            return
        if not confirm(question, no_input=self.no_input, option="--yes"):
            say(refusal)
            raise typer.Exit(ExitCode.FAILED)


with_removal_options = functools.partial(options.with_option_group, name="removal", group=RemovalOptions)
