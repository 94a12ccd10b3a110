"""Processes the lines of members: says texts, runs commands."""

import time
from collections.abc import Mapping, Sequence

from sockctl.errors import AnswerRefusedError, CommandError, TextTooLongError
from sockctl.protocol.messages import Message
from sockctl.protocol.said_text import read_text
from sockctl.services.chat.blocks import read_block
from sockctl.services.chat.command_table import COMMANDS
from sockctl.services.chat.commands import Handler, parse
from sockctl.services.chat.member import Client
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.presence import Presence
from sockctl.services.chat.refusals import refuse_for
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.sequencer import Sequencer
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.text_limits import MAX_COMMAND_BYTES, MAX_TEXT_BYTES, fits, refuse_long


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
        *,
        presence: Presence,
        sequencer: Sequencer,
    ) -> None:
        self._rooms = rooms
        self._state = state
        self._sequencer = sequencer
        self._membership = membership
        self._moderation = moderation
        self._presence = presence
        self._handlers = {command: handlers[command.name] for command in COMMANDS if command.name != "me"}

    def process(self, client: Client, batch: Sequence[Message]) -> None:
        """Say the texts and run the commands that a client has sent."""
        if client.leaving:
            return
        client.member.active_at = time.monotonic()
        texts: list[str] = []
        first = 0  # the message of the first of these
        for number, one in enumerate(batch):
            if one.kind == "line":
                text: str | None = one.text
                if not one.text.strip():
                    continue
                if one.text[0] == "/":
                    text = read_text(one.text)
                if text is not None:
                    texts.append(text)
                    continue
            self._say(client, batch[first:number], texts)
            texts, first = [], number + 1
            self._process_other(client, one)
            if client.leaving:
                return  # the command has closed the client
        self._say(client, batch[first:], texts)

    def _process_other(self, client: Client, one: Message) -> None:
        """Run a command, say a block, or pass on a typing mark."""
        if one.kind == "line":
            self._run(client, one)
        elif one.kind == "block":
            self._say_block(client, one)
        elif one.kind == "typing":
            self._presence.mark_typing(client)

    def _say_block(self, client: Client, one: Message) -> None:
        """Say a block; a block of one line is a text."""
        try:
            lines = read_block(one)
            if len(lines) < 2:  # noqa: PLR2004  one line, or none
                self._say(client, [one] * len(lines), lines)
                return
            room = self._find_room(client)
        except CommandError as error:
            refuse_for(client, [one], error)
        else:
            if client.member.away:
                self._presence.end_away(client.member)
            self._sequencer.say_block(room, client, lines, one)

    def _say(self, client: Client, spoken: Sequence[Message], texts: Sequence[str], *, action: bool = False) -> None:
        """Say the texts of the messages `spoken`, or refuse them."""
        if not texts:
            return
        try:
            room = self._find_room(client)
        except CommandError as error:
            refuse_for(client, _drop_empty(spoken), error)
            return
        said = [text for text in texts if len(text) * 4 <= MAX_TEXT_BYTES or fits(text)]
        if len(said) < len(texts):
            spoken = self._refuse_long(client, _drop_empty(spoken), texts)
        if said:
            if client.member.away:
                self._presence.end_away(client.member)
            self._sequencer.say(room, client, said, spoken, action=action)

    def _find_room(self, client: Client) -> Room:
        """Return the room in which a client speaks.

        Raises:
            CommandError: The client is in no room, or its member is muted.
        """
        room = self._rooms.find(client.room) or self._rooms.get_current(client)
        if not self._state.mutes.is_empty:
            self._moderation.refuse_muted(client)
        return room

    @staticmethod
    def _refuse_long(client: Client, spoken: Sequence[Message], texts: Sequence[str]) -> list[Message]:
        """Refuse the messages whose texts are too long; return the others."""
        said = []
        for one, text in zip(spoken, texts, strict=True):
            try:
                refuse_long(text)
            except TextTooLongError as error:
                refuse_for(client, [one], error)
            else:
                said.append(one)
        return said

    def _run(self, client: Client, one: Message) -> None:
        """Run the command of a message."""
        try:
            refuse_long(one.text, what="command", max_bytes=MAX_COMMAND_BYTES, undone="It was not carried out.")
            self._membership.process_pending(client)  # the answer follows the earlier texts, and the command sees them
            call = parse(one.text, operator=client.member.operator)
            if client.is_backlogged and call.command.name != "quit":  # an answer would only lengthen the backlog
                raise CommandError("You don't read what you are sent: the command was not carried out.")  # noqa: TRY301
            if call.command.name == "me":
                self._say(client, [one], call.arguments, action=True)
            else:
                client.asking = one
                self._handlers[call.command](client, call.arguments)
        except (CommandError, AnswerRefusedError) as error:
            refuse_for(client, [one], error)


def _drop_empty(spoken: Sequence[Message]) -> list[Message]:
    """Return the messages without empty lines; a block is never empty here."""
    return [one for one in spoken if one.kind != "line" or one.text.strip()]
