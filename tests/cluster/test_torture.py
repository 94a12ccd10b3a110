"""The torture in short, and the mutants that it must catch; see `tests.cluster.torture`."""

from pathlib import Path

import pytest

from tests.cluster.torture import torture

ALL = ("node", "term", "stop", "engine", "freeze", "memory", "hole", "reset", "cut", "slow")
QUICK_S, LONG_S = 2.0, 30.0
MUTANTS = {
    "dedup": (["cut", "reset"], "always"),
    "jump": (["engine"], "none"),
    "fence": (["stop"], "always"),
}
"""What breaks, and the engine's settings, where a mutant shows."""


def test_what_is_short_leaves_no_flaw(tmp_path: Path) -> None:
    outcome, _ = torture(tmp_path, 1, QUICK_S, ["reset", "cut", "slow"])
    assert not outcome.flaws, "\n".join(outcome.flaws)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.parametrize(("engine", "more"), [("always", ()), ("everysec", ("crash",)), ("none", ())])
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_that_breaks_leaves_a_flaw(seed: int, engine: str, more: tuple[str, ...], tmp_path: Path) -> None:
    outcome, _ = torture(tmp_path, seed, LONG_S, (*ALL, *more), engine=engine)
    assert not outcome.flaws, "\n".join(outcome.flaws)


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_caught(mutant: str, tmp_path: Path) -> None:
    """A busy machine may let few things happen, so it has several tries."""
    assert any(is_caught(tmp_path / str(seed), seed, mutant) for seed in (1, 2, 3))


def is_caught(folder: Path, seed: int, mutant: str) -> bool:
    faults, engine = MUTANTS[mutant]
    folder.mkdir()
    outcome, _ = torture(folder, seed, QUICK_S, faults, engine=engine, mutant=mutant)
    return bool(outcome.flaws)
