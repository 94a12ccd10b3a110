"""What the tests of the net room share."""

from pathlib import Path

import pytest

from sockctl.net.certificates import ensure_certificate


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Path]:
    return ensure_certificate(tmp_path / "data", hosts=[])
