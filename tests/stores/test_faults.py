"""The sentences of what goes wrong with a file: which one, and what to do."""

from pathlib import Path

import pytest

from sockctl.errors import StoreExposedError
from sockctl.stores.faults import make_lock_error, make_read_error, make_write_error, refuse_exposed, refuse_replaceable

PATH = Path("/somewhere/users.json")


def test_each_names_the_file_and_what_to_do() -> None:
    for error in (make_read_error(PATH, "no"), make_write_error(PATH, "no"), make_lock_error(PATH, 10.0)):
        assert str(PATH) in str(error)
        assert "See " in str(error) or "see " in str(error)
    assert "/somewhere/users.json.lock" in str(make_lock_error(PATH, 10.0))


def test_a_file_that_is_not_its_users_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.touch(0o600)
    refuse_exposed(path, path.stat())
    refuse_replaceable(path)
    path.chmod(0o644)
    with pytest.raises(StoreExposedError, match=f"chmod 600 {path}$"):
        refuse_exposed(path, path.stat())
    tmp_path.chmod(0o777)
    with pytest.raises(StoreExposedError, match=f"chmod go-w {tmp_path}$"):
        refuse_replaceable(path)
    tmp_path.chmod(0o700)
