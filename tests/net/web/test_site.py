"""The files of the pages in the package: what is there, and that nothing of them asks another server."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from sockctl.net.web.site import INDEX, MEDIA_TYPES, load_site

WEB = files("sockctl") / "web"
PAGES = ("chat", "echo")
NAMES = {"http://www.w3.org"}
"""Names of XML's namespaces, which no browser asks."""


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_a_page_is_found(page: str) -> None:
    site = load_site(WEB / page)
    names = {each.name for each in (WEB / page).iterdir()}
    assert INDEX in names
    for name in names:
        file = site.find("/" if name == INDEX else f"/{name}")
        assert file is not None, f"{name} is of no type that a page has: {', '.join(MEDIA_TYPES)}"
        assert file.data == (WEB / page / name).read_bytes()
    assert site.find("/index.html") is None
    assert len({site.find(f"/{name}").etag for name in names - {INDEX}}) == len(names) - 1  # type: ignore[union-attr]


@pytest.mark.parametrize("page", PAGES)
def test_no_file_names_another_server(page: str) -> None:
    for file in (WEB / page).iterdir():
        if file.name == "licenses.txt":
            continue
        text = re.sub(r"^\s*//.*$", "", file.read_text(), flags=re.MULTILINE)
        assert set(re.findall(r"https?://[\w.-]+", text)) <= NAMES, file.name


def test_preact_and_htm_come_with_their_licences() -> None:
    text = (WEB / "chat" / "licenses.txt").read_text()
    assert "The MIT License (MIT)" in text
    assert "Apache License" in text


def test_the_package_has_the_files() -> None:
    assert Path(str(WEB / "chat" / "app.js")).is_file()
