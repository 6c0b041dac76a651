"""A rate limiter: bursts, waiting, several rates at once, and a bounded memory."""

import pytest

from quart_enroll import bounded_cache
from quart_enroll.services.accounts.rate_limiter import CHANGE_RATES, Rate, RateLimiter


class Stopwatch:
    """A clock in seconds that stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Stopwatch:
    return Stopwatch()


def uses(limiter: RateLimiter, key: str = "ada") -> int:
    """Use all tokens that the key has now, and return how many they were."""
    used = 0
    while not limiter.take(key):
        used += 1
    return used


def test_a_burst_is_allowed_and_then_one_use_in_each_interval(clock: Stopwatch) -> None:
    limiter = RateLimiter(Rate(burst=3, interval=10), clock=clock)
    assert uses(limiter) == 3
    assert limiter.take("ada") == 10
    clock.seconds += 9.5
    assert limiter.take("ada") == 0.5
    clock.seconds += 0.5
    assert uses(limiter) == 1
    clock.seconds += 1000
    assert uses(limiter) == 3


def test_a_refused_use_costs_nothing(clock: Stopwatch) -> None:
    limiter = RateLimiter(Rate(burst=1, interval=10), clock=clock)
    limiter.take("ada")
    for _ in range(20):
        assert limiter.take("ada") == 10


def test_each_key_has_a_burst_of_its_own(clock: Stopwatch) -> None:
    limiter = RateLimiter(Rate(burst=2, interval=10), clock=clock)
    assert (uses(limiter, "ada"), uses(limiter, "bob")) == (2, 2)


def test_the_stricter_of_two_rates_decides(clock: Stopwatch) -> None:
    limiter = RateLimiter(Rate(burst=2, interval=1), Rate(burst=3, interval=100), clock=clock)
    assert uses(limiter) == 2
    clock.seconds += 2
    assert uses(limiter) == 1
    assert limiter.take("ada") == 98


def test_extra_charges_delay_the_next_use(clock: Stopwatch) -> None:
    limiter = RateLimiter(Rate(burst=3, interval=10), clock=clock)
    limiter.take("ada")
    limiter.charge("ada", 4)
    assert limiter.take("ada") == 30
    clock.seconds += 30
    assert uses(limiter) == 1


def test_the_least_recently_used_key_is_forgotten(clock: Stopwatch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(bounded_cache.CACHE_BYTES, "change limits", 1700)  # two keys
    limiter = RateLimiter(Rate(burst=2, interval=10), clock=clock)
    for key in ("ada", "bob", "ada", "cal"):
        limiter.take(key)
    assert len(limiter) == 2
    assert limiter.take("ada") > 0
    assert uses(limiter, "bob") == 2


def test_an_impatient_student_with_three_devices_never_reaches_the_limit(clock: Stopwatch) -> None:
    limiter = RateLimiter(*CHANGE_RATES, clock=clock)
    for _ in range(4):
        for _ in range(3 * (16 + 15)):  # each device enrolls in all of 15 courses, and then tries them one by one
            assert not limiter.take("ada")
            clock.seconds += 0.3
    for _ in range(3 * 20):  # and each presses the button of a busy page as often as it presses itself
        assert not limiter.take("ada")
        clock.seconds += 5 / 3


def test_an_account_makes_no_more_than_one_change_a_second_in_the_long_run(clock: Stopwatch) -> None:
    limiter = RateLimiter(*CHANGE_RATES, clock=clock)
    made = []
    for _ in range(24 * 60):
        made.append(uses(limiter))
        clock.seconds += 60
    assert made[:2] == [300, 60]
    assert sum(made) <= 3000 + 24 * 60 * 2
