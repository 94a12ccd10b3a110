"""The login in front of a service: a token that somebody has copied."""

import contextlib
import sqlite3
from pathlib import Path

from sockctl.accounts.hash_queue import HashQueue
from sockctl.accounts.session_tokens import REPLACED_S
from sockctl.events.accounts import TokenReused
from sockctl.events.base import Level
from sockctl.services.auth import Auth
from sockctl.services.login import LoginConversation
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.frames import FrameClient, frame_client
from tests.support.running import running


def let_time_pass(data_dir: Path, seconds: int) -> None:
    """Make tokens that were replaced so much older."""
    with contextlib.closing(sqlite3.connect(data_dir / "sessions.db")) as database, database:
        database.execute("UPDATE tokens SET replaced = replaced - ?", (seconds,))


def resumed(client: FrameClient, token: str) -> str:
    client.expect("ask", field="name")
    client.send(kind="resume", token=token)
    following = client.expect("token")["token"]
    client.expect("welcome", user="ann")
    assert isinstance(following, str)
    return following


def test_a_token_that_is_shown_again_ends_the_session_of_thief_and_owner(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    login = LoginConversation(tmp_path, queue=HashQueue(slots=1), floor_s=0.001)
    with running(Auth(login)) as run, frame_client(run.port) as owner, frame_client(run.port) as thief:
        owner.expect("ask", field="name")
        owner.line("ann")
        owner.expect("ask", field="password")
        owner.line(PASSWORD)
        stolen = str(owner.expect("token")["token"])
        session = owner.expect("welcome")["session"]
        with frame_client(run.port) as again:
            newest = resumed(again, resumed(thief, stolen))
            let_time_pass(tmp_path, REPLACED_S)
            with frame_client(run.port) as later:
                later.expect("ask", field="name")
                later.send(kind="resume", token=stolen)
                later.expect("error", code="bad_token")
                later.expect("ask", field="name")
                for client in (owner, thief, again):
                    client.expect("bye", reason="session_ended")
                (event,) = run.sink.wait_for("token_reused")
                assert isinstance(event, TokenReused)
                assert (event.user, event.session, event.level) == ("ann", session, Level.WARNING)
                for token in (stolen, newest):
                    assert token not in repr(run.sink.events) + "".join(one.text for one in run.sink.events)
                later.send(kind="resume", token=newest)
                later.expect("error", code="bad_token")
        run.sink.wait_for("login_failed")
