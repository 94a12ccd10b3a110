"""The history of the line editor, as prompt_toolkit wants it. Imported with prompt_toolkit only."""

from collections.abc import Callable, Iterable

from prompt_toolkit.history import History

from sockctl.client.typed_entries import TypedEntries


class TypedHistory(History):
    """What was typed, now and earlier.

    Args:
        entries: Where it is kept.
        remark: Tells the user something; called in the prompt's thread.
    """

    def __init__(self, entries: TypedEntries, remark: Callable[[str], None]) -> None:
        super().__init__()
        self._entries = entries
        entries.remark = remark

    def load_history_strings(self) -> Iterable[str]:
        """Return what was typed earlier, the newest first."""
        return self._entries.load()

    def store_string(self, string: str) -> None:
        """Keep what has just been typed."""
        self._entries.add(string)
