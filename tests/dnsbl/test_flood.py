"""A list that suddenly lists everything is noticed; nothing else is taken for one."""

import threading

import pytest

from filterd.dnsbl.flood import TOO_MANY, WINDOW, HitWatch


def _many(watch: HitWatch, hits: int, misses: int, *, start: int = 0, name: str = "zen") -> list[bool]:
    """Misses first, then hits, about different subjects."""
    answers = [False] * misses + [True] * hits
    return [watch.floods(name, f"s{start + number}", hit=hit) for number, hit in enumerate(answers)]


@pytest.mark.threat("DNS-03")
def test_nearly_everybody_listed_is_a_flood() -> None:
    """Told once, by the answer that makes it so; then counting begins anew."""
    watch = HitWatch()
    assert _many(watch, TOO_MANY, WINDOW - TOO_MANY).index(True) == WINDOW - 1
    assert sum(_many(watch, WINDOW, 0)) == 1


@pytest.mark.threat("DNS-03")
def test_a_list_that_turns_bad_is_noticed_after_many_misses() -> None:
    """What it missed long ago has left the window."""
    watch = HitWatch()
    assert not any(_many(watch, 0, 1_000))
    assert _many(watch, WINDOW, 0, start=1_000).index(True) == TOO_MANY - 1


def test_one_miss_more_is_no_flood() -> None:
    """In a flood of spam most clients really are listed, and some are not."""
    watch = HitWatch()
    for start in range(0, 10 * WINDOW, WINDOW):
        assert not any(_many(watch, TOO_MANY - 1, WINDOW - TOO_MANY + 1, start=start))


def test_one_subject_counts_once() -> None:
    """A listed client that sends a thousand messages proves nothing."""
    watch = HitWatch()
    assert not any(watch.floods("zen", "same", hit=True) for _ in range(1_000))
    assert not any(_many(watch, WINDOW - 2, 0))


def test_lists_are_counted_apart() -> None:
    """Hits of one list say nothing of another."""
    watch = HitWatch()
    assert not any(_many(watch, TOO_MANY - 1, 0, name=name)[-1] for name in ("one", "two"))


def test_the_window_is_bounded_and_threads_do_not_break_it() -> None:
    """Any number of subjects from any number of threads: at most WINDOW are kept."""
    watch = HitWatch()

    def work(number: int) -> None:
        _many(watch, 300, 300, start=600 * number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    window = watch._windows["zen"]
    assert len(window.subjects) <= WINDOW
    assert window.hits == sum(window.subjects.values())
