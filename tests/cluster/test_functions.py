"""The functions in the engine: loaded where they are missing, and never those of another version."""

from contextlib import closing

import pytest

from sockctl.cluster import functions
from sockctl.cluster.engine import Engine
from sockctl.cluster.functions import Library, call_function
from sockctl.cluster.keys import ACCOUNTS
from tests.support.engines import RedisServer


def ask(engine: Engine) -> list[bytes]:
    reply: list[bytes] = call_function(engine, "settings", (ACCOUNTS,), "name", "value", library=Library.ACCOUNTS)
    return reply


def test_two_versions_serve_side_by_side(engine: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    engine.ask("FUNCTION", "FLUSH")
    ours = functions.read_source(Library.ACCOUNTS)
    theirs = ours.replace("return reply", "return { 'theirs' }")
    with closing(Engine(engine.access())) as one:
        for _ in range(2):
            assert ask(one) == [b"name", b"value"]
            with monkeypatch.context() as patch:
                patch.setattr(functions, "read_source", lambda _: theirs)
                assert ask(one) == [b"theirs"]
        assert len(one.ask("FUNCTION", "LIST")) == 2


def test_the_names_of_all_functions_begin_with_that_of_their_library() -> None:
    for library in Library:
        text = functions.read_source(library)
        prefix = f"{library}{functions.FORM}"
        assert text.startswith(f"#!lua name={prefix}\n")
        assert text.count("register_function(") == text.count(f"register_function('{prefix}_")
