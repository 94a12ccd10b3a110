"""The pages of a chat's servers, as each of them advertises its own."""

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from sockctl.cluster.entry import Entry
from sockctl.cluster.posting import ACT, Posting
from sockctl.protocol.http_rules import Origin, parse_origin
from sockctl.services.chat.shared_records import BROKEN, decode, encode
from sockctl.stores.timestamps import Clock, format_timestamp, parse_timestamp, read_utc_clock

PAGES = "page:"
"""What the fields of the shared state begin with that tell of a page."""
DO = "page"
"""The act that tells of one."""
TOLD_EVERY_S = 3_600.0
KEPT_S = 86_400.0
"""How long a page is known without a word of its server: meanwhile its readers come to the other servers."""
MOST = 64
"""The most pages: each request for a page answers with a list of all."""


class SharedPages:
    """The pages. Any thread may use it.

    Args:
        own: The origin of this server's page; None where it advertises none.
        clock: Returns the time.
    """

    def __init__(self, own: Origin | None = None, *, clock: Clock = read_utc_clock) -> None:
        self._own = own
        self._clock = clock
        self._lock = threading.Lock()  # guards the pages
        self._pages: dict[Origin, float] = {}  # each with the time when its server told of it last
        self._told_at: float | None = None

    def list_all(self) -> Collection[Origin]:
        """Return the origins of the pages, this server's included."""
        oldest = self._clock().timestamp() - KEPT_S
        with self._lock:
            known = {one for one, told_at in self._pages.items() if told_at >= oldest}
        return known if self._own is None else known | {self._own}

    def restore(self, fields: Mapping[str, bytes]) -> None:
        """Take the pages of the shared state."""
        for field, data in fields.items():
            if field.startswith(PAGES):
                with contextlib.suppress(*BROKEN):
                    self._take(decode(data))

    def hear(self, one: Entry) -> bool:
        """Take an entry of the log; return False if it says nothing of pages."""
        fields = decode(one.data) if one.kind == ACT else {}
        if fields.get("do") != DO:
            return False
        self._take(fields)
        return True

    def tell(self, post: Callable[[Posting], bool], *, is_due: bool) -> None:
        """Tell the other servers of this one's page, when that is due or was long ago."""
        now = time.monotonic()
        if self._own is None or not (is_due or self._told_at is None or now - self._told_at > TOLD_EVERY_S):
            return
        self._told_at = now
        data = encode({"do": DO, "page": str(self._own), "at": format_timestamp(self._clock())})
        post(Posting(ACT, data, field=f"{PAGES}{self._own}", value=data))
        for old in self._take_old():
            post(Posting(ACT, encode({"do": DO, "page": None}), field=f"{PAGES}{old}"))

    def _take(self, fields: Mapping[str, Any]) -> None:
        origin = parse_origin(fields["page"]) if fields["page"] else None
        if origin is None:
            return
        told_at = parse_timestamp(fields["at"]).timestamp()
        with self._lock:
            self._pages[origin] = max(told_at, self._pages.get(origin, told_at))
            if len(self._pages) > MOST:
                del self._pages[min(self._pages, key=self._pages.__getitem__)]

    def _take_old(self) -> Collection[Origin]:
        oldest = self._clock().timestamp() - KEPT_S
        with self._lock:
            old = [one for one, told_at in self._pages.items() if told_at < oldest]
            for one in old:
                del self._pages[one]
        return old
