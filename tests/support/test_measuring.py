"""What coverage measures of the tests themselves."""

import coverage

from tests.support.measuring import unmeasured_collection


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
