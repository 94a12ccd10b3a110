"""Libraries that only some commands need."""

import sys

import pytest

from sockctl.cli.extras import needing
from sockctl.errors import LibraryMissingError


@pytest.mark.parametrize(
    ("has_pip", "command"),
    [
        (True, f"{sys.executable} -m pip install 'sockctl[web]'"),
        (False, f"uv pip install --python {sys.executable} 'sockctl[web]'"),
    ],
)
def test_a_missing_library_is_explained_by_its_own_name(
    monkeypatch: pytest.MonkeyPatch, has_pip: bool, command: str
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object() if has_pip else None)
    with pytest.raises(LibraryMissingError) as failed, needing("web", "ws://"):
        raise ModuleNotFoundError("no", name="h11.part")
    assert str(failed.value) == f"ws:// needs the library h11, which isn't installed: {command} brings it."


@pytest.mark.parametrize("name", [None, "sockctl.net.missing", "h111", "redis"])
def test_another_failure_of_an_import_stays_as_it_is(name: str | None) -> None:
    with pytest.raises(ImportError), needing("web", "ws://"):
        raise ImportError("no", name=name)
