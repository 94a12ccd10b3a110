"""Tells clients which of their messages the chat has refused."""

from collections.abc import Sequence

from sockctl.errors import AnswerRefusedError, CommandError
from sockctl.protocol.messages import Message
from sockctl.services.chat.member import Client

MAX_NUMBER = 2**53 - 1
"""The largest number that every JSON decoder keeps exactly (RFC 8259, section 6)."""


def refuse(
    client: Client, refused: Sequence[Message], text: str, *, code: str, until: str | None = None, each: str = ""
) -> None:
    """Send a client an error for each refused message with a number `n`, and one error for all others.

    Args:
        client: The client.
        refused: The refused messages of the client.
        text: The reason, for all messages without a number.
        code: The code of the error.
        until: When the reason ends, in the form of RFC 3339; None for never.
        each: The reason for one message with a number; empty for `text`.
    """
    numbers = [read_number(one) for one in refused]
    for number in numbers:
        if number is not None:
            client.tell("error", each or text, code=code, until=until, n=number)
    if None in numbers:
        client.tell("error", text, code=code, until=until)


def refuse_for(client: Client, refused: Sequence[Message], error: CommandError | AnswerRefusedError) -> None:
    """Tell a client that an error refuses some of its messages."""
    until = error.until if isinstance(error, CommandError) else None
    refuse(client, refused, str(error), code=error.code, until=until)


def read_number(one: Message) -> int | None:
    """Return the number that a client gave its message; None for none."""
    number = one.fields.get("n")
    return number if type(number) is int and abs(number) <= MAX_NUMBER else None
