"""Members with the line editor, whose server is killed again and again."""

from pathlib import Path

import pytest

from tests.support.long_talk import KILLS, talk


@pytest.mark.slow
def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    report = talk(tmp_path, 8, 1)
    assert report.findings == []
    assert report.kills == KILLS
    assert report.lines > KILLS
