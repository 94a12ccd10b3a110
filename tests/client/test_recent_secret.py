from sockctl.client.recent_secret import KEPT_S, RecentSecret


def test_it_knows_the_last_secret_for_a_while() -> None:
    recent = RecentSecret()
    assert not recent.matches("", 0)
    recent.note("swordfish", 10)
    assert recent.matches(" swordfish\t", 10 + KEPT_S)
    assert not recent.matches("Swordfish", 10)
    recent.note("other", 20)
    assert not recent.matches("swordfish", 20)
    assert not recent.matches("other", 21 + KEPT_S)
    assert not recent.matches("other", 20), "it is forgotten"
    recent.note("  ", 30)
    assert not recent.matches("", 30)


def test_it_has_no_secret() -> None:
    recent = RecentSecret()
    recent.note("swordfish\ud800", 0)
    assert "swordfish" not in repr(vars(recent))
