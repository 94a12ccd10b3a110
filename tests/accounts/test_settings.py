"""The settings of accounts."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from sockctl.accounts.passwords import DEFAULT
from sockctl.accounts.settings import Settings, SettingsFile
from sockctl.errors import StoreExposedError, StoreFormatError
from tests.support.accounts import CHEAPEST, make_cheap


def test_without_a_file_the_defaults_hold_and_nothing_is_made(tmp_path: Path) -> None:
    assert Settings(SettingsFile(tmp_path / "data")).hash_parameters == DEFAULT
    assert not (tmp_path / "data").exists()


def test_the_server_gets_an_identity_once(tmp_path: Path) -> None:
    own = Settings(SettingsFile(tmp_path)).read_server_id()
    assert (
        Settings(SettingsFile(tmp_path)).read_server_id()
        == own
        != Settings(SettingsFile(tmp_path / "other")).read_server_id()
    )
    path = tmp_path / "settings.json"
    content = json.loads(path.read_text())
    assert content["argon2"] == {"time_cost": 3, "memory_kib": 65536, "parallelism": 4}, "for whoever wants to change"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_chosen_parameters_stay_when_the_identity_is_made(tmp_path: Path) -> None:
    make_cheap(tmp_path)
    settings = Settings(SettingsFile(tmp_path))
    settings.read_server_id()
    assert settings.hash_parameters == CHEAPEST


def test_the_device_key_is_made_once_and_is_another_one_for_each_server(tmp_path: Path) -> None:
    own = Settings(SettingsFile(tmp_path)).read_device_key()
    assert len(own) == 32
    assert (
        Settings(SettingsFile(tmp_path)).read_device_key()
        == own
        != Settings(SettingsFile(tmp_path / "other")).read_device_key()
    )


def test_a_file_from_before_gets_a_device_key(tmp_path: Path) -> None:
    server_id = Settings(SettingsFile(tmp_path)).read_server_id()
    path = tmp_path / "settings.json"
    content = json.loads(path.read_text())
    del content["device_key"]
    path.write_text(json.dumps(content))
    assert Settings(SettingsFile(tmp_path)).read_device_key()
    assert Settings(SettingsFile(tmp_path)).read_server_id() == server_id


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({"server_id": "x"}, "server_id is no text of 32 hex digits"),
        ({"device_key": "x"}, "device_key is no text of 64 hex digits"),
        ({"device_key": 7}, "device_key is no text"),
        ({"server_id": 7}, "server_id is no text"),
        ({"argon2": 3}, "argon2 is no object with exactly"),
        ({"argon2": {"time_cost": 3, "memory_kib": 65536}}, "argon2 is no object with exactly"),
        ({"argon2": {"time_cost": 3, "memory_kib": "1", "parallelism": 4}}, "argon2.memory_kib is no whole number"),
        ({"argon2": {"time_cost": True, "memory_kib": 65536, "parallelism": 4}}, "argon2.time_cost is no whole"),
        ({"argon2": {"time_cost": 3, "memory_kib": 99_999_999, "parallelism": 4}}, "argon2 asks for what can't be"),
    ],
)
def test_what_can_not_be_is_refused(tmp_path: Path, content: dict[str, Any], why: str) -> None:
    path = tmp_path / "settings.json"
    path.touch(0o600)
    path.write_text(json.dumps({"version": 1, **content}))
    with pytest.raises(StoreFormatError, match=why):
        _ = Settings(SettingsFile(tmp_path)).hash_parameters


def test_settings_that_others_may_change_are_refused(tmp_path: Path) -> None:
    make_cheap(tmp_path)
    (tmp_path / "settings.json").chmod(0o666)
    with pytest.raises(StoreExposedError):
        _ = Settings(SettingsFile(tmp_path)).hash_parameters
