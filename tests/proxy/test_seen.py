"""Each thing that the proxy recognises is on its help page, with the fields that JSON has of it."""

import re
from pathlib import Path

import pytest

import sockctl
from sockctl.proxy import http_heads, message_reading, seen, tls_reading, websocket_reading
from sockctl.proxy.seen import Seen
from tests.support.inspecting import DIALOGUES, inspect

PAGE = (Path(sockctl.__file__).parent / "help" / "proxy.md").read_text()
MODULES = (http_heads, message_reading, seen, tls_reading, websocket_reading)
KINDS = {
    one.kind
    for module in MODULES
    for one in vars(module).values()
    if isinstance(one, type) and issubclass(one, Seen) and one.kind != Seen.kind
}
EVERYTHING = [one for steps in DIALOGUES.values() for one in inspect(steps)]


def documented_fields(kind: str) -> set[str]:
    rows: list[str] = re.findall(
        rf"^\| `{kind}`[^|]* \| (`.*) \|$", PAGE.partition("The fields of `seen`")[2], re.MULTILINE
    )
    return set(re.findall(r"`(\w+)`", " ".join(rows)))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_page_has_every_kind_with_its_fields(kind: str) -> None:
    assert re.search(rf"^\| .*`{kind}`.* \|", PAGE.partition("The fields of `seen`")[0], re.MULTILINE)
    documented = documented_fields(kind)
    for one in EVERYTHING:
        if one.kind == kind:
            assert set(one.fields) - {"kind", "bytes"} <= documented


def test_the_dialogues_have_nearly_every_kind() -> None:
    assert KINDS - {one.kind for one in EVERYTHING} == {"more"}
