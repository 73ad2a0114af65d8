"""When a search that a provider has limited is retried, and when it is given up."""

from transaction_tracker.follower.searches import GIVE_UP_SECONDS, Searches


def next_delay(searches: Searches, now: float) -> float:
    """Return for how many seconds the search stays blocked, in whole seconds."""
    later = now
    while searches.blocked("tx", later) is not None:
        later += 1.0
    return later - now


def test_delay_of_a_limited_search_doubles_up_to_five_minutes() -> None:
    searches, now, delays = Searches(), 0.0, []
    for _ in range(7):
        searches.failed("tx", "limited", now)
        delays.append(next_delay(searches, now))
        now += delays[-1]

    assert delays == [15, 30, 60, 120, 240, 300, 300]


def test_search_is_given_up_after_fifteen_minutes_of_limits() -> None:
    searches = Searches()

    assert not searches.failed("tx", "limited", 0.0)
    assert not searches.failed("tx", "limited", GIVE_UP_SECONDS - 1)
    assert searches.failed("tx", "limited", GIVE_UP_SECONDS)


def test_forgotten_search_starts_with_the_first_delay() -> None:
    searches = Searches()
    for now in (0.0, 15.0, 45.0):
        searches.failed("tx", "limited", now)

    searches.forget("tx")

    assert searches.blocked("tx", 45.0) is None
    assert not searches.failed("tx", "limited", GIVE_UP_SECONDS + 60.0)
    assert next_delay(searches, GIVE_UP_SECONDS + 60.0) == 15
