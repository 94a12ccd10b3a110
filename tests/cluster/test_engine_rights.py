"""Tests for `sockctl.cluster.engine_rights`: the rights are those that the code needs, and no others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import sockctl.cluster
from sockctl.cluster.engine_rights import KEYS_RULE, NEEDED, find_name, list_rights

ROOM = Path(sockctl.cluster.__path__[0])
NOT_NEEDED = {"acl", "block", "command", "config", "sentinel"}
"""Words that look like commands of a chat: in lines to copy, of a request, of a check that goes on without, and of a
Sentinel."""
CALLED = re.compile(r"redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?")


def list_called_by_functions() -> Iterator[str]:
    """Yield the commands that the functions inside the engine call."""
    for path in ROOM.glob("*.lua"):
        for command, word in CALLED.findall(path.read_text()):
            yield find_name((command, word))


def list_asked_by_modules() -> Iterator[str]:
    """Yield the commands with which calls and tuples of the room's modules begin."""
    for path in ROOM.glob("*.py"):
        if path.stem != "engine_rights":
            for node in ast.walk(ast.parse(path.read_text())):
                words = node.args if isinstance(node, ast.Call) else node.elts if isinstance(node, ast.Tuple) else []
                texts = [word.value if isinstance(word, ast.Constant) else None for word in [*words, None][:2]]
                if isinstance(texts[0], str) and re.fullmatch("[A-Z]{3,}", texts[0]):
                    yield find_name((texts[0], str(texts[-1])))


def test_the_rights_are_the_commands_of_the_code() -> None:
    rights = {find_name(request) for request in NEEDED}
    used = {*list_called_by_functions(), *list_asked_by_modules()} - NOT_NEEDED
    assert used - rights == set()
    assert rights - used == set()


def test_each_right_stands_once() -> None:
    rights = list_rights()
    assert len(set(rights)) == len(rights)
    assert rights[0] == KEYS_RULE
