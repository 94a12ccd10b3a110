"""The chat service: a conversation lets members in, and reactions process their messages.

The module is longer than others, since all that the server calls of a chat stands here together.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from sockctl.errors import CommandError
from sockctl.events.chat import ChatKeptAgain, ChatUnkept, MemberCame, MemberLeft
from sockctl.events.journal import Journal
from sockctl.events.reasons import Reason
from sockctl.net.client_description import NOBODY, ClientDescription
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import Message
from sockctl.services.chat.backing import Backing, LocalBacking
from sockctl.services.chat.clients import ConsoleClient, RemoteClient
from sockctl.services.chat.command_handlers import CommandHandlers
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.costs import Costs
from sockctl.services.chat.effects import Effects
from sockctl.services.chat.flood_control import FloodControl
from sockctl.services.chat.history import JOINING_BYTES
from sockctl.services.chat.line_processor import LineProcessor
from sockctl.services.chat.member import CAPABILITIES, Client, FloodLimit, Member
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.presence import Presence
from sockctl.services.chat.reasons import PING_TIMEOUT
from sockctl.services.chat.refusals import refuse
from sockctl.services.chat.registration import Registration
from sockctl.services.chat.reserved_names import CONSOLE_NAME, ReservedNames
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.login import LoginConversation
from sockctl.services.login_reasons import LOGGED_OUT
from sockctl.stores.timestamps import read_utc_clock
from sockctl.text import format_count

DEFAULT_LIMITS = ChatLimits()


class Chat(MessageService, Conversation[Peer]):
    """A chat.

    Args:
        backing: What the chat stands on; a directory stands for files in it.
        rules: Its rules.
        login: The login of users; None where guests come in under any free name.
        limits: Its limits and times.

    Attributes:
        members: The members.
        rooms: The rooms.
        membership: Joins and leaves rooms for members.

    Raises:
        StoreError: A file can't be used.
    """

    name: ClassVar[str] = "chat"
    unmarked_room = LOBBY

    def __init__(
        self,
        backing: Backing | Path,
        rules: ChatRules,
        *,
        login: LoginConversation | None = None,
        limits: ChatLimits = DEFAULT_LIMITS,
    ) -> None:
        self._backing = backing = LocalBacking(backing) if isinstance(backing, Path) else backing
        store, stored = backing.load(rules, on_failure=self._report_failure, on_recovery=self._report_recovery)
        state = store.state
        self._rules = rules
        self._login = login
        self._limits = limits
        self._reserved = ReservedNames(login)
        self.members = backing.make_members(find_reserved=self._reserved.find, clock=time.monotonic, limits=limits)
        self.rooms = RoomRegistry(fixed=rules.rooms, stored=stored, history=rules.history, store=store, limits=limits)
        self._effects = Effects(self.members, self.rooms, state)
        self._sequencer, names = backing.connect(self.members, self.rooms, self._effects)
        self.membership = Membership(self.members, self.rooms, self._sequencer, limits)
        self._moderation = Moderation(
            self.members,
            state,
            self._sequencer,
            is_account=self._reserved.is_account,
            lets_strangers_in=login is None or login.lets_sign_up,
        )
        presence = Presence(self.rooms, self._moderation, self._sequencer)
        handlers = CommandHandlers(
            self.members,
            self.rooms,
            state,
            self.membership,
            self._moderation,
            presence=presence,
            sequencer=self._sequencer,
            names=names,
        ).handlers
        handlers = {**handlers, **self._moderation.handlers, "logout": self._log_out}
        self._lines = LineProcessor(
            self.rooms, state, self.membership, self._moderation, handlers, presence=presence, sequencer=self._sequencer
        )
        self._flood_control = FloodControl(Costs(self.members, self.rooms), self._lines, self.membership)
        self._registration = Registration(
            self.members, self.rooms, self.membership, names, state=state, rules=rules, limits=limits, login=login
        )
        self._journal: Journal
        self._stopping = threading.Event()
        self._summed_at = 0.0
        self._ticker = threading.Thread(target=self._run_ticker, name="sockctl-chat", daemon=True)

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        members = "Users log in" if self._login is not None else "Clients give a name"
        return f"It serves a chat. {members} and talk with each other in rooms."

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal
        if self._backing.is_shared:
            self._reserved.reserve_console()
        self._effects.start(journal)
        self._moderation.start(journal)
        self._backing.start(self.membership, journal)
        if self._login is not None:
            self._login.start(journal)
        self._ticker.start()

    def prepare_stop(self) -> None:
        """Tell clients what is not said."""
        self._backing.prepare_stop()

    def stop(self) -> None:
        """Stop, and save all that waits for the disk."""
        self._stopping.set()
        self._ticker.join()
        if self._login is not None:
            self._login.stop()
        self._backing.close()

    def open_console(self, show: Callable[[Message], None]) -> Callable[[Message], None]:
        """Let the server's own terminal chat as an operator; called before the first client comes.

        Args:
            show: Shows a message there, as a client in frames gets it; any thread calls it, and it must not block.

        Returns:
            A function that processes what is typed there: a message of the kind `line` or `block`, as a client sends.
        """
        member = Member(CONSOLE_NAME, since=read_utc_clock(), operator=True)
        client = ConsoleClient(member, show)
        self.members.add_guest(member)
        self.members.attach(client)
        self.membership.join_client(client, self.rooms.first)
        self.rooms.set_listener(client)
        return lambda one: self._lines.process(client, [one])

    def _report_failure(self, error: str, messages: int) -> None:
        self._journal.emit(ChatUnkept(error=error, messages=messages))

    def _report_recovery(self, lost: int) -> None:
        self._journal.emit(ChatKeptAgain(lost=lost))

    # Logging in: a conversation.

    def converse(self, peer: Peer) -> None:
        """Let `peer` in under a name, or tell it why not."""
        client = self._registration.let_in(peer)
        member, room = client.member, self.membership.list_rooms_to_join(client)[-1]
        client.announced = True
        self._journal.emit(MemberCame(connection=peer.number, peer=peer.shown, who=member.name))
        peer.tell(
            "welcome",
            f"Welcome, {member.name}! What you type is said in {room}; /help lists the commands.",
            name=member.name,
            user=member.account or None,
            room=room,
            operator=member.operator or None,
            can=list(CAPABILITIES),
        )
        for line in self._rules.motd:
            peer.tell("notice", line, code="motd")
        peer.watch()

    # Chatting: reactions.

    def watched(self, peer: Peer) -> None:
        """Let a member into its rooms, unless another connection has replaced this one before."""
        client = peer.state
        if isinstance(client, RemoteClient) and not client.leaving:
            client.watched = True
            left, rooms = JOINING_BYTES, self.membership.list_rooms_to_join(client)
            for number, name in enumerate(rooms):
                share = left // (len(rooms) - number)
                with contextlib.suppress(CommandError):  # the registry has just dropped the room
                    left -= self.membership.join_client(client, name, most_bytes=share)

    def received(self, peer: Peer, batch: list[Message]) -> None:
        """Process messages of a member."""
        client = peer.state
        if not isinstance(client, RemoteClient) or client.leaving:
            return
        if self._login is not None and not self._login.note_use(peer):
            return
        if client.member.flood is None:
            self._lines.process(client, batch)
        else:
            self._flood_control.process(client, client.member.flood, batch)

    def _log_out(self, client: Client, _: Sequence[str]) -> None:
        if self._login is None or client.peer is None:
            raise CommandError("You have no login here: /quit leaves the chat.")
        self._login.log_out(client.peer)
        client.close(LOGGED_OUT)

    def ended(self, peer: Peer) -> None:
        """Send a client whose input has ended the queued events, and the rest of an answer."""
        client = peer.state
        if isinstance(client, RemoteClient):
            self.membership.process_pending(client)
            client.finish_replay()
            if client.held_back:
                count = format_count(len(client.held_back), "message")
                refuse(
                    client,
                    client.held_back,
                    f"Your input has ended: {count} held back will not be said.",
                    code="not_said",
                    each="Your input has ended while this was held back: it was not said.",
                )
            if wait_s := self._sequencer.flush(client, peer.finish):
                peer.stay(wait_s)

    def left(self, peer: Peer, reason: Reason) -> None:
        """Remove a client whose connection has ended."""
        if self._login is not None:
            self._login.left(peer)
        client = peer.state
        if isinstance(client, RemoteClient):
            client.held_back.clear()
            self.membership.remove(client, reason)
            if client.announced:
                self._journal.emit(
                    MemberLeft(connection=peer.number, peer=peer.shown, who=client.member.name, reason=reason)
                )

    def count(self) -> dict[str, int]:
        """Return how many members there are, and the counts of the login and of what the chat stands on."""
        logins = {} if self._login is None else self._login.authenticator.count_hashes()
        return {"members": len(self.members.list_all()), **logins, **self._backing.count()}

    def describe_client(self, peer: Peer) -> ClientDescription:
        """Return the member's name, the room in which it speaks here, and whether it is muted."""
        client = peer.state
        if not isinstance(client, RemoteClient):
            return NOBODY
        muted = self._moderation.is_muted(client)
        return ClientDescription(name=client.member.name, room=client.room, muted=muted)

    def _release(self, client: RemoteClient, limit: FloodLimit) -> None:
        """Process held-back messages; the event thread calls it."""
        if self._login is not None and not self._login.note_use(client.peer):
            client.held_back.clear()
        self._flood_control.release(client, limit)

    def _run_ticker(self) -> None:
        before = time.monotonic()
        while not self._stopping.wait(self._limits.tick_s):
            now = time.monotonic()
            if now - before > self._limits.stall_s:
                self._forgive_silence(now)
            before = now
            self.tick(now)

    def tick(self, now: float) -> None:
        """Do what is due at `now`, on the monotonic clock."""
        self.members.forget_departed()
        self._backing.tick(now)
        self._registration.return_names()
        for client in self._list_watched():
            self._look_after(client, now)
        if now - self._summed_at >= self._limits.sum_every_s:
            self._summed_at = now
            self.rooms.tick(now)

    def _forgive_silence(self, now: float) -> None:
        """Give each client the whole time again to answer a ping: the server stood still, and received nothing."""
        for client in self._list_watched():
            client.heard_at = max(client.heard_at, now - self._limits.silent_s)

    def _list_watched(self) -> Iterator[RemoteClient]:
        for client in self.members.list_all_clients():
            if isinstance(client, RemoteClient) and client.watched:
                yield client

    def _look_after(self, client: RemoteClient, now: float) -> None:
        limit = client.member.flood
        if client.replaying is not None and not client.is_backlogged:
            client.continue_replay_soon()
        if client.held_back and limit is not None and not client.is_backlogged:
            client.peer.call_soon(lambda: self._release(client, limit))
        if client.peer.bytes_in != client.bytes_heard:
            client.bytes_heard, client.heard_at, client.pinged = client.peer.bytes_in, now, False
        elif client.framed and now - client.heard_at > self._limits.silent_s:
            if not client.pinged:
                client.pinged = True
                client.tell("ping", "Are you still there?")
            elif now - client.heard_at > self._limits.silent_s + self._limits.answer_s:
                client.close(PING_TIMEOUT)
