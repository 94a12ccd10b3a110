"""The chat service: who comes in, what is said, who leaves."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

from sockctl.errors import CommandError
from sockctl.events.chat import ChatKeptAgain, ChatUnkept, MemberCame, MemberLeft
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.peer import Peer
from sockctl.net.service import Conversation, MessageService
from sockctl.protocol.messages import Message, message
from sockctl.services.chat.arrivals import Arrivals
from sockctl.services.chat.clients import ConsoleClient, RemoteClient
from sockctl.services.chat.command_handlers import MAX_JOINED, CommandHandlers
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.costs import Costs
from sockctl.services.chat.flood import FloodLimit
from sockctl.services.chat.history import COMING_BYTES
from sockctl.services.chat.limits import ChatLimits
from sockctl.services.chat.members import Member, Members
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.reasons import PING_TIMEOUT
from sockctl.services.chat.registration import ChatRules, Registration
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.store import ChatStore
from sockctl.services.login import LoginConversation
from sockctl.stores.timestamps import utc_now
from sockctl.text import plural

__all__ = ["Chat", "ChatLimits", "ChatRules"]

CONSOLE_NAME = "server"
"""Under which name the operator at the server's terminal chats; nobody else may have it."""
MAX_HELD = 100
"""Messages of a member that are held back at most."""
TICK_S = 0.25
"""How often is looked at what is held back."""
DEFAULT = ChatLimits()


class Chat(MessageService, Conversation[Peer]):
    """A chat.

    Args:
        data_dir: Where is kept what survives a restart.
        rules: How it is to be.
        login: What lets users in; None where everybody may come in under a name that is free.
        limits: How much it bears, and how long it waits.

    Raises:
        StoreError: What was kept can't be used.
    """

    name: ClassVar[str] = "chat"
    unmarked_room = LOBBY

    def __init__(
        self, data_dir: Path, rules: ChatRules, *, login: LoginConversation | None = None, limits: ChatLimits = DEFAULT
    ) -> None:
        self._store = ChatStore(
            data_dir, history=rules.history, on_failure=self._tell_unkept, on_recovery=self._tell_kept_again
        )
        kept = self._store.start()
        self._rules = rules
        self._login = login
        self._limits = limits
        self._members = Members(is_reserved=self._is_reserved, clock=time.monotonic)
        self._rooms = RoomRegistry(
            fixed=rules.rooms, kept=kept, history=rules.history, store=self._store, limits=limits
        )
        moderation = Moderation(
            self._members,
            self._store,
            is_account=self._is_account,
            lets_strangers_in=login is None or login.lets_sign_up,
        )
        self._actions = CommandHandlers(self._members, self._rooms, self._store, moderation)
        self._costs = Costs(self._members, self._rooms)
        self._entrance = Registration(
            self._members,
            self._rooms,
            self._actions,
            store=self._store,
            rules=rules,
            arrivals=Arrivals(limits),
            login=login,
        )
        self._journal: Journal
        self._stopping = threading.Event()
        self._summed_at = 0.0
        self._ticker = threading.Thread(target=self._tick_on, name="sockctl-chat", daemon=True)

    @property
    def does(self) -> str:
        """One sentence that says what the service does."""
        who = "users who log in" if self._login is not None else "whoever gives a name"
        return f"It serves a chat: {who} talk with each other in rooms."

    def start(self, journal: Journal) -> None:
        """Tell events to `journal` from now on."""
        self._journal = journal
        self._actions.start(journal)
        if self._login is not None:
            self._login.start(journal)
        self._ticker.start()

    def stop(self) -> None:
        """End; what is to be kept is on the disk then."""
        self._stopping.set()
        self._ticker.join()
        if self._login is not None:
            self._login.stop()
        self._store.close()

    def console(self, show: Callable[[str], None]) -> Callable[[str], None]:
        """Let the server's own terminal chat, as an operator; before the first client comes.

        Args:
            show: Shows a line there; must not block.

        Returns:
            What takes a line that was typed there.
        """
        member = Member(CONSOLE_NAME, since=utc_now(), operator=True)
        place = ConsoleClient(member, show)
        self._members.add(member)
        self._members.sit(place)
        self._actions.enter(place, self._rooms.first, new=True)
        self._rooms.listen(place)
        return lambda line: self._actions.take(place, [message("line", line)])

    def _tell_unkept(self, error: str, messages: int) -> None:
        self._journal.emit(ChatUnkept(error=error, messages=messages))

    def _tell_kept_again(self, lost: int) -> None:
        self._journal.emit(ChatKeptAgain(lost=lost))

    # Coming in: a conversation.

    def converse(self, peer: Peer) -> None:
        """Let `peer` in under a name, or say why not."""
        client = self._entrance.let_in(peer)
        member, room = client.member, self._rooms_for(client)[-1]
        client.came = True
        self._journal.emit(MemberCame(connection=peer.number, peer=peer.shown, who=member.name))
        peer.tell(
            "welcome",
            f"Welcome, {member.name}! What you type is said in {room}; /help lists the commands.",
            name=member.name,
            user=member.account or None,
            room=room,
        )
        for line in self._rules.motd:
            peer.tell("notice", line, code="motd")
        peer.watch()

    def _is_account(self, name: str) -> bool:
        """Return whether a name is that of a user."""
        return self._login is not None and self._login.authenticator.accounts.users.find(name) is not None

    def _is_reserved(self, key: str, account: str) -> bool:
        """Return whether a name is the account of somebody else, or was one."""
        if self._login is None or key == account:
            return False
        return self._is_account(key) or self._login.authenticator.accounts.users.was_removed(key)

    # Being there: reactions.

    def watched(self, peer: Peer) -> None:
        """Let a member into its rooms."""
        client = peer.state
        if isinstance(client, RemoteClient):
            client.watched = True
            known = self._members.rooms_of(client.member)
            left, rooms = COMING_BYTES, self._rooms_for(client)
            for number, name in enumerate(rooms):
                share = left // (len(rooms) - number)
                with contextlib.suppress(CommandError):  # it was there a moment ago
                    left -= self._actions.enter(client, name, new=name not in known, most_bytes=share)

    def _rooms_for(self, client: RemoteClient) -> list[str]:
        """Return the rooms that a place comes into: where its member is, or was; it speaks in the last of them."""
        is_in, seen = self._members.rooms_of(client.member), [*client.seen]
        rooms = dict.fromkeys([*(room for room in is_in if room not in seen[-1:]), *seen])
        return [*rooms][:MAX_JOINED] or [self._rooms.first]

    def received(self, peer: Peer, batch: list[Message]) -> None:
        """Let a member say or do something."""
        client = peer.state
        if not isinstance(client, RemoteClient) or client.leaving:
            return
        if self._login is not None and not self._login.used(peer):
            return
        if client.member.flood is None:
            self._actions.take(client, batch)
        else:
            self._take_slowly(client, client.member.flood, batch)

    def ended(self, peer: Peer) -> None:
        """Let a member hear what is in line, and the rest of an answer, before it goes."""
        client = peer.state
        if isinstance(client, RemoteClient):
            self._actions.catch_up(client)
            client.finish_answer()
            if client.held:
                count = plural(len(client.held), "message")
                client.tell("error", f"Your input has ended: {count} held back will not be said.", code="not_said")

    def left(self, peer: Peer, reason: Reason) -> None:
        """Let a member go."""
        if self._login is not None:
            self._login.left(peer)
        client = peer.state
        if isinstance(client, RemoteClient):
            client.held.clear()
            self._actions.part(client, reason)
            if client.came:
                self._journal.emit(
                    MemberLeft(connection=peer.number, peer=peer.shown, who=client.member.name, reason=reason)
                )

    def _take_slowly(self, client: RemoteClient, limit: FloodLimit, batch: list[Message]) -> None:
        passing = 0
        if not client.held:
            while passing < len(batch) and limit.lets_pass(self._costs.of(client, batch[passing])):
                passing += 1
        if passing:
            self._carry_out(client, batch[:passing])
        if passing == len(batch):
            return
        if not client.held:
            self._actions.catch_up(client)
            client.tell("notice", "You are too fast: the rest is held back, and said bit by bit.", code="held_back")
        client.held.extend(batch[passing:])
        if len(client.held) > MAX_HELD:
            client.held.clear()
            client.tell("error", f"You said more than {MAX_HELD} messages too many.", code="flooding")
            client.close(DisconnectReason.FLOODING)

    def _release(self, client: RemoteClient, limit: FloodLimit) -> None:
        """Let through what was held back, as far as the limit allows; the event thread calls it."""
        if self._login is not None and not self._login.used(client.peer):
            client.held.clear()
        released = []
        while client.held and not client.leaving and not client.is_backlogged:
            if not limit.lets_pass(self._costs.of(client, client.held[0])):
                break
            released.append(client.held.popleft())
        if released:
            self._carry_out(client, released)

    def _carry_out(self, client: RemoteClient, batch: list[Message]) -> None:
        """Let a member say and do what the flood limit lets pass, and charge its connection and address for it."""
        client.peer.charge(self._costs.work_s(client, batch))
        self._actions.take(client, batch)

    # The ticker.

    def _tick_on(self) -> None:
        before = time.monotonic()
        while not self._stopping.wait(TICK_S):
            now = time.monotonic()
            if now - before > self._limits.stall_s:
                self._forgive_silence(now)
            before = now
            self.tick(now)

    def tick(self, now: float) -> None:
        """Do what is due at `now`, on the monotonic clock."""
        self._members.forget()
        self._entrance.return_names()
        for client in self._watched_seats():
            self._look_at(client, now)
        if now - self._summed_at >= self._limits.sum_every_s:
            self._summed_at = now
            self._rooms.tick(now)

    def _forgive_silence(self, now: float) -> None:
        """Give each member the whole time to answer a ping: the server stood still, and has read nothing meanwhile."""
        for client in self._watched_seats():
            client.heard_at = max(client.heard_at, now - self._limits.silent_s)

    def _watched_seats(self) -> Iterator[RemoteClient]:
        for member in self._members.all():
            for place in self._members.places_of(member):
                if isinstance(place, RemoteClient) and place.watched:
                    yield place

    def _look_at(self, client: RemoteClient, now: float) -> None:
        limit = client.member.flood
        if client.replaying is not None and not client.is_backlogged:
            client.go_on_soon()
        if client.held and limit is not None and not client.is_backlogged:
            client.peer.call_soon(lambda: self._release(client, limit))
        if client.peer.bytes_in != client.heard:
            client.heard, client.heard_at, client.pinged = client.peer.bytes_in, now, False
        elif client.framed and now - client.heard_at > self._limits.silent_s:
            if not client.pinged:
                client.pinged = True
                client.tell("ping", "Are you still there?")
            elif now - client.heard_at > self._limits.silent_s + self._limits.answer_s:
                client.close(PING_TIMEOUT)
