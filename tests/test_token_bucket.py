from sockctl.token_bucket import TokenBucket


def test_burst_then_rate() -> None:
    bucket = TokenBucket(rate=10, burst=3)
    assert [bucket.accept(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.accept(100.05)
    assert bucket.accept(100.11)
    assert [bucket.accept(200.0) for _ in range(4)] == [True, True, True, False]
