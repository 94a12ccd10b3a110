"""The members of a chat on several servers: those of all servers, of which some have clients here."""

from collections.abc import Iterable
from itertools import islice

from sockctl.services.chat.member import Client, Member, make_user_id
from sockctl.services.chat.members import Members
from sockctl.services.chat.reserved_names import CONSOLE_NAME

_NAMES = 20
"""Names that are tried for a member that must give its own away."""


class SharedMembers(Members):
    """The registry of members of all servers. A member departs when `drop` says so, not with its last client here."""

    def _leave_with_last(self, member: Member) -> None:
        """Stay: the member may have clients on other servers."""

    def hold(self, member_id: str) -> Member | None:
        """Return the member of an id, which stays until a client is attached or `let_go` is called; None for none."""
        with self._lock:
            member = self._by_id.get(member_id)
            if member is not None:
                member.arriving += 1
            return member

    def let_go(self, member: Member) -> bool:
        """Hold a member no longer; return whether it has no client here, and waits for none."""
        with self._lock:
            member.arriving -= 1
            return not member.clients and not member.arriving

    def is_here(self, member: Member) -> bool:
        """Return whether a member has a client here, or waits for one."""
        with self._lock:
            return bool(member.clients or member.arriving)

    def take_clients(self, member: Member) -> list[Client]:
        """Detach all clients of a member, and return them."""
        with self._lock:
            clients, member.clients = member.clients, []
            return clients

    def keep(self, member: Member) -> None:
        """Add a member under its name, which was claimed for it; it gets back what it had when it departed."""
        with self._lock:
            if (departed := self._find_departed(member.id)) is not None:
                member.ignored, member.quiet, member.reply_to = departed.ignored, departed.quiet, departed.reply_to
                member.away, member.flood = departed.away, departed.flood or member.flood
            self._departed.pop(member.id, None)
            self._by_id[member.id] = member
            self._keep_name(member)

    def drop(self, member: Member) -> None:
        """Let a member depart."""
        with self._lock:
            self._depart(member)

    def name(self, member: Member, name: str) -> str:
        """Give a member the name that was claimed for it; return the one before."""
        with self._lock:
            return self._rename(member, name)

    def refuse_taken(self, name: str, member: Member) -> None:
        """Refuse a name that is taken as far as is known here.

        Raises:
            NameTakenError: The name is taken, or looks like one that is.
        """
        with self._lock:
            self._refuse_taken(name, member)

    def find_squatted(self, member: Member) -> str:
        """Return the account of another user that a member's name is or looks like; empty for none."""
        with self._lock:
            account = self._find_reserved(member.name, member.account)
        return "" if account == CONSOLE_NAME else account  # no user's, but the terminal's own

    def list_free_names(self, member: Member) -> list[str]:
        """Return some names, free as far as is known here, for a member that must give its own away."""
        with self._lock:
            return [*islice(self._list_free_names(member), _NAMES)]

    def note_active(self, keys: Iterable[str], now: float) -> None:
        """Note when the members of some author keys said something."""
        for key in keys:
            member = self._by_id.get(make_user_id(key)) or self._by_key.get(key)
            if member is not None:
                member.active_at = now
