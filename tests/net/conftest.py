"""What the tests of the net room share."""

from pathlib import Path

import pytest

from sockctl.net.certificates import own_certificate


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    return own_certificate(tmp_path / "data", hosts=[])
