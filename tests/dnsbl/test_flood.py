"""A list that suddenly lists everything is noticed; nothing else is taken for one."""

import threading

import pytest

from filterd.dnsbl.flood import MISSES, RUN, HitWatch

HITS = RUN - MISSES


def _many(watch: HitWatch, *answers: bool, start: int = 0, name: str = "zen") -> list[bool]:
    """Answers about different subjects."""
    return [watch.floods(name, f"s{start + number}", hit=hit) for number, hit in enumerate(answers)]


@pytest.mark.threat("DNS-03")
def test_nearly_everybody_listed_is_a_flood() -> None:
    """Told once, by the answer that makes it so; then counting begins anew."""
    watch = HitWatch()
    answers = [True, *[False] * MISSES, *[True] * (HITS - 1)]
    assert _many(watch, *answers).index(True) == RUN - 1
    assert sum(_many(watch, *[True] * RUN)) == 1


@pytest.mark.threat("DNS-03")
def test_a_list_that_turns_bad_is_noticed_soon() -> None:
    """However many it missed before, and however its last good answers were mixed."""
    watch = HitWatch()
    assert not any(_many(watch, *[number % 10 == 0 for number in range(1_000)]))
    assert True in _many(watch, *[True] * (2 * RUN), start=1_000)


def test_one_miss_more_is_no_flood() -> None:
    """In a flood of spam most clients really are listed, and some are not."""
    watch = HitWatch()
    answers = [True, *[False] * (MISSES + 1), *[True] * (HITS - 2)]
    for start in range(0, 10 * RUN, RUN):
        assert not any(_many(watch, *answers, start=start))
        assert not any(_many(watch, *[False] * (MISSES + 1), start=10_000 + start))


def test_one_subject_counts_once() -> None:
    """A listed client that sends a thousand messages proves nothing."""
    watch = HitWatch()
    assert not any(watch.floods("zen", "same", hit=True) for _ in range(1_000))
    assert not any(_many(watch, *[True] * (RUN - 2)))


def test_lists_are_counted_apart() -> None:
    """Hits of one list say nothing of another."""
    watch = HitWatch()
    assert not any(_many(watch, *[True] * (RUN - 1), name=name)[-1] for name in ("one", "two"))


def test_a_miss_costs_nothing_where_no_hit_came_before() -> None:
    """It is what nearly all lists say about nearly all mail."""
    watch = HitWatch()
    assert (watch.counts("zen", hit=False), watch.counts("zen", hit=True)) == (False, True)
    _many(watch, False, False)
    assert not watch.counts("zen", hit=False)
    _many(watch, True)
    assert watch.counts("zen", hit=False)
    _many(watch, *[False] * (MISSES + 1), start=10)
    assert not watch.counts("zen", hit=False)


def test_a_run_is_bounded_and_threads_do_not_break_it() -> None:
    """Any number of subjects from any number of threads: fewer than RUN are kept."""
    watch = HitWatch()

    def work(number: int) -> None:
        _many(watch, *[True] * 300, False, *[True] * 300, start=600 * number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(len(run.subjects) < RUN for run in watch._runs.values())
