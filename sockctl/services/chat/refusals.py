"""Tells clients that what they said was refused."""

from collections.abc import Sequence

from sockctl.errors import AnswerRefusedError, CommandError
from sockctl.protocol.messages import Message
from sockctl.services.chat.member import Client

MAX_NUMBER = 2**53 - 1
"""The largest number that every JSON decoder keeps exactly (RFC 8259, section 6)."""


def refuse(
    client: Client, refused: Sequence[Message], text: str, *, code: str, until: str | None = None, each: str = ""
) -> None:
    """Tell a client that messages of it were refused: each that has a number `n`, and all others at once.

    Args:
        client: The client.
        refused: Its messages.
        text: The reason, for all messages without a number together.
        code: The stable word for the reason.
        until: When the reason ends, as RFC 3339 has it; None where it doesn't.
        each: The reason for one message; empty where it is the same.
    """
    numbers = [read_number(one) for one in refused]
    for number in numbers:
        if number is not None:
            client.tell("error", each or text, code=code, until=until, n=number)
    if None in numbers:
        client.tell("error", text, code=code, until=until)


def refuse_for(client: Client, refused: Sequence[Message], error: CommandError | AnswerRefusedError) -> None:
    """Tell a client that an error has refused messages of it."""
    until = error.until if isinstance(error, CommandError) else None
    refuse(client, refused, str(error), code=error.code, until=until)


def read_number(one: Message) -> int | None:
    """Return the number that a client gave its message; None for none."""
    number = one.fields.get("n")
    return number if type(number) is int and abs(number) <= MAX_NUMBER else None
