"""What coverage measures of the tests themselves."""

from pathlib import Path

import coverage

from tests.support.measuring import move_readable, unmeasured_collection


def test_the_collection_is_unmeasured_and_the_tests_are_measured_again() -> None:
    before = coverage.Coverage.current()
    measuring = coverage.Coverage(data_file=None, config_file=False)
    measuring.start()
    try:
        with unmeasured_collection():
            assert coverage.Coverage.current() is None
        assert coverage.Coverage.current() is measuring
    finally:
        measuring.stop()
    assert coverage.Coverage.current() is before


def test_the_file_of_a_process_that_was_killed_as_it_wrote_is_left_out(tmp_path: Path) -> None:
    folder, data_file = tmp_path / "measured", tmp_path / ".coverage"
    folder.mkdir()
    for name in ("whole", "cut"):
        written = coverage.CoverageData(folder / f".coverage.{name}")
        written.add_lines({"module.py": range(1_000)})
        written.write()
        written.close()
    cut = folder / ".coverage.cut"
    cut.write_bytes(cut.read_bytes()[:5_000])
    move_readable(folder, data_file)
    assert [path.name for path in tmp_path.glob(".coverage*")] == [".coverage.whole"]
    assert cut.exists()
