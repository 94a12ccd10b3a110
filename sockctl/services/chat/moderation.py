"""What operators do: they put members out, keep them out, let them read only, and announce things."""

from collections.abc import Callable, Sequence

from sockctl.errors import CommandError
from sockctl.events.chat import OperatorActed
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.protocol.messages import message
from sockctl.protocol.names import same_name_key
from sockctl.services.chat.bans import Network, network_of
from sockctl.services.chat.commands import parse_duration
from sockctl.services.chat.keeper import Keeper
from sockctl.services.chat.members import Member, Members
from sockctl.services.chat.places import Place, Seat

__all__ = ["Moderation"]


class Moderation:
    """The operators' commands. Any thread may call them; nothing in it waits.

    Args:
        members: Who is here.
        keeper: Keeps bans and mutes.
        with_accounts: Whether members are users who have logged in: then names can be banned.

    Attributes:
        commands: What carries out each command, by its name.
    """

    def __init__(self, members: Members, keeper: Keeper, *, with_accounts: bool) -> None:
        self._members = members
        self._keeper = keeper
        self._with_accounts = with_accounts
        self._journal: Journal
        self.commands: dict[str, Callable[[Place, Sequence[str]], None]] = {
            "kick": self._kick,
            "ban": self._ban,
            "unban": self._unban,
            "mute": self._mute,
            "unmute": self._unmute,
            "announce": self._announce,
        }

    def start(self, journal: Journal) -> None:
        """Tell events to `journal` from now on."""
        self._journal = journal

    def _kick(self, place: Place, words: Sequence[str]) -> None:
        member = self._somebody(words[0])
        why = f": {words[1]}" if len(words) > 1 else "."
        self._tell_all(place, f"{place.member.name} put {member.name} out{why}")
        self._put_out(member, DisconnectReason.KICKED)

    def _ban(self, place: Place, words: Sequence[str]) -> None:
        network = network_of(words[0])
        if network is None and not self._with_accounts:
            raise CommandError("Anybody can take a name here: ban an address, which /whois tells.")
        time = parse_duration(words[1]) if len(words) > 1 else None
        ban = self._keeper.ban(words[0], by=place.member.name, time=time)
        until = f" until {ban.until:%Y-%m-%d %H:%M} UTC" if ban.until is not None else ""
        self._tell_all(place, f"{place.member.name} banned {ban.who}{until}.")
        for member in self._members.all():
            if self._is_at(member, network) if network is not None else member.account == same_name_key(ban.who):
                self._put_out(member, DisconnectReason.BANNED)

    def _unban(self, place: Place, words: Sequence[str]) -> None:
        if not self._keeper.unban(words[0]):
            raise CommandError(f"{words[0]!r} is not banned.")
        self._tell_all(place, f"{place.member.name} lets {words[0]} in again.")

    def _mute(self, place: Place, words: Sequence[str]) -> None:
        time = parse_duration(words[1]) if len(words) > 1 else None
        member = self._somebody(words[0])
        mute = self._keeper.mute(member.name, by=place.member.name, time=time)
        until = f" until {mute.until:%Y-%m-%d %H:%M} UTC" if mute.until is not None else ""
        self._tell_all(place, f"{place.member.name} lets {member.name} read only{until}.")

    def _unmute(self, place: Place, words: Sequence[str]) -> None:
        if not self._keeper.unmute(words[0]):
            raise CommandError(f"{words[0]!r} is not muted.")
        self._tell_all(place, f"{place.member.name} lets {words[0]} speak again.")

    def _announce(self, place: Place, words: Sequence[str]) -> None:
        self._tell_all(place, f"{place.member.name} announces: {words[0]}")

    def _tell_all(self, place: Place, text: str) -> None:
        """Tell something to every member, and to whoever keeps the log."""
        self._journal.tell(OperatorActed(operator=place.member.name, did=text))
        one = message("notice", text, code="announcement")
        for each in {place, *(each for member in self._members.all() for each in self._members.places_of(member))}:
            each.post(one)

    def _somebody(self, name: str) -> Member:
        """Return the member of that name, unless it is the server's own terminal."""
        member = self._members.get(name)
        if not any(isinstance(each, Seat) for each in self._members.places_of(member)):
            raise CommandError(f"{member.name} is the terminal of the server: it stays.")
        return member

    def _put_out(self, member: Member, reason: DisconnectReason) -> None:
        for each in self._members.places_of(member):
            each.close(reason)

    def _is_at(self, member: Member, network: Network) -> bool:
        own = (network_of(one.address) for one in self._members.places_of(member))
        return any(one is not None and one.network_address in network for one in own)
