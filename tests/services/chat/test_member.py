"""A member of the chat: who it is for good, and what it gets back when it comes again."""

from sockctl.services.chat.member import FloodLimit, Identity, Member
from tests.support.chat_room import Played
from tests.support.clock import NOON


def test_the_key_follows_the_name() -> None:
    ann = Member("Ann", since=NOON)
    assert (ann.name, ann.key) == ("Ann", "ann")
    ann.rename("Bob")
    assert (ann.name, ann.key) == ("Bob", "bob")


def test_a_guest_is_known_by_a_token_and_a_user_by_the_account() -> None:
    guest, other, user = Member("ann", since=NOON), Member("ann", since=NOON), Member("Bob", since=NOON, account="bob")
    assert guest.token
    assert guest.token != other.token
    assert guest.identity == Identity(guest.id, "ann")
    assert user.identity == Identity("a:bob", "Bob")


def test_what_a_member_gets_back() -> None:
    before, ann = Member("ann", since=NOON, flood=FloodLimit(1, 1)), Member("ann", since=NOON)
    before.ignored, before.quiet, before.reply_to = frozenset({"bob"}), True, Identity("a:carl", "carl")
    before.rooms["#tea"] = None
    ann.restore(before)
    assert (ann.token, ann.flood) == (before.token, before.flood), "a new token would forget the limit"
    assert (ann.ignored, ann.quiet, ann.reply_to) == (before.ignored, before.quiet, before.reply_to)
    assert not ann.rooms, "rooms are joined anew"


def test_a_client_is_told_in_the_form_of_its_wire() -> None:
    framed, lines = Played("ann"), Played("bob", framed=False)
    for client in (framed, lines):
        client.tell("notice", "Hello.", code="motd")
    assert framed.messages == [{"kind": "notice", "text": "Hello.", "code": "motd"}]
    assert lines.lines == ["Hello."]
