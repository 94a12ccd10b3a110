"""Processes the lines of members: says texts, runs commands."""

from collections.abc import Mapping, Sequence

from sockctl.errors import AnswerRefusedError, CommandError
from sockctl.protocol.messages import Message
from sockctl.services.chat.commands import COMMANDS, Handler, parse
from sockctl.services.chat.member import Client
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.state import ChatState
from sockctl.stores.timestamps import format_timestamp, utc_now

MAX_TEXT_BYTES = 4_096
"""Bytes of a text."""
MAX_COMMAND_BYTES = MAX_TEXT_BYTES + 128
"""Bytes of a command: a text in one may be as long as any other text."""
MAX_WAITING = 4_096
"""Characters that wait for other members' texts in the same round. The room sends longer texts at once: else the batch
for each member would grow with the number of speaking members, and exceed the capacity of an outbox.
"""


class LineProcessor:
    """Processes the lines that members type. Any thread may call it; it never blocks.

    Args:
        handlers: The handler of each command but ``/me``, by the command's name.
    """

    def __init__(
        self,
        rooms: RoomRegistry,
        state: ChatState,
        membership: Membership,
        moderation: Moderation,
        handlers: Mapping[str, Handler],
    ) -> None:
        self._rooms = rooms
        self._state = state
        self._membership = membership
        self._moderation = moderation
        by_name: dict[str, Handler] = {**handlers, "me": self._say_action}
        self._handlers = {command: by_name[command.name] for command in COMMANDS}

    def process(self, client: Client, batch: Sequence[Message]) -> None:
        """Say the texts and run the commands that a client has sent."""
        texts: list[str] = []
        for one in batch:
            if client.leaving:
                return  # an earlier command closed the client
            if one.kind != "line" or not one.text.strip():
                continue
            if one.text.startswith("/") and not one.text.startswith("//"):
                self._say(client, texts)
                texts = []
                self._run(client, one.text)
            else:
                texts.append(one.text.removeprefix("/"))
        self._say(client, texts)

    def _say(self, client: Client, texts: Sequence[str], *, action: bool = False) -> None:
        if not texts:
            return
        try:
            room = self._rooms.find(client.room) or self._rooms.get_current(client)
            if not self._state.mutes.is_empty:
                self._moderation.refuse_muted(client)
        except CommandError as error:
            client.tell("error", str(error), code=error.code)
            return
        said = [text for text in texts if len(text) * 4 <= MAX_TEXT_BYTES or len(text.encode()) <= MAX_TEXT_BYTES]
        if len(said) < len(texts):
            client.tell("error", f"A text may have {MAX_TEXT_BYTES:,} bytes: it was not said.", code="too_long")
        if said:
            room.say(client, said, format_timestamp(utc_now()), action=action)
            if sum(map(len, said)) > MAX_WAITING:
                room.process_pending()
            else:
                room.process_soon(client)

    def _say_action(self, client: Client, words: Sequence[str]) -> None:
        self._say(client, words, action=True)

    def _run(self, client: Client, line: str) -> None:
        if len(line.encode()) > MAX_COMMAND_BYTES:
            text = f"A command may have {MAX_COMMAND_BYTES:,} bytes: it was not carried out."
            client.tell("error", text, code="too_long")
            return
        self._membership.process_pending(client)  # the answer follows the earlier texts, and the command sees them
        try:
            call = parse(line, operator=client.member.operator)
            if client.is_backlogged and call.command.name != "quit":  # an answer would only lengthen the backlog
                raise CommandError("You don't read what you are sent: the command was not carried out.")  # noqa: TRY301
            self._handlers[call.command](client, call.arguments)
        except (CommandError, AnswerRefusedError) as error:
            client.tell("error", str(error), code=error.code)
