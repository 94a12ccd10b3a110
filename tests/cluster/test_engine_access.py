"""Tests for `sockctl.cluster.engine_access`."""

from pathlib import Path

from sockctl.cluster.engine_access import EngineAccess, EngineLogin


def test_it_is_shown_as_a_url() -> None:
    assert str(EngineAccess(host="engine.example")) == "redis://engine.example:6379"
    assert str(EngineAccess(host="::1", port=1, database=3, tls=True)) == "rediss://[::1]:1/3"


def test_a_login_stays_out_of_texts() -> None:
    access = EngineAccess(host="a", login=EngineLogin(user="chat", password="grey walnut"))
    assert "walnut" not in f"{access!r} {access} {access.login!r} {access.write_command('PING')}"


def test_the_line_for_a_shell() -> None:
    access = EngineAccess(host="a", port=7, tls=True, ca=Path("my ca.pem"), certificate=Path("c"), key=Path("k"))
    line = access.write_command("ACL", "SETUSER", "ann", "~{chat:*")
    tls = "--tls --cacert 'my ca.pem' --cert c --key k"
    assert line == f"redis-cli -h a -p 7 {tls} ACL SETUSER ann '~{{chat:*'"
