import contextlib
import select

from sockctl.client.tty.entries import MAX_ENTRIES, Entries


def is_readable(entries: Entries) -> bool:
    return bool(select.select([entries.fileno()], [], [], 0)[0])


def test_what_was_put_can_be_waited_for() -> None:
    with contextlib.closing(Entries()) as entries:
        assert not is_readable(entries)
        entries.put("one")
        entries.put("two\nthree")
        entries.note_typing()
        assert is_readable(entries)
        assert entries.take() == (["one", "two\nthree"], True, False)
        assert not is_readable(entries)
        entries.put("last")
        entries.end()
        assert is_readable(entries)
        assert entries.take() == (["last"], False, True)


def test_it_is_bounded_and_does_not_block() -> None:
    with contextlib.closing(Entries()) as entries:
        for _ in range(10_000):
            entries.note_typing()
        for _ in range(MAX_ENTRIES):
            assert not entries.is_full
            entries.put("x")
        assert entries.is_full
        entries.put("beyond")
        assert len(entries.take()[0]) == MAX_ENTRIES
        assert not entries.is_full


def test_what_is_put_after_its_end_waits_for_nobody() -> None:
    entries = Entries()
    entries.close()
    entries.put("x")
    entries.end()
