import os
import threading

from prometheus_client.parser import text_string_to_metric_families

from filterd.telemetry import Metrics
from filterd.telemetry.exposition import render


def values(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample that is not 0, by name and label values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(render(metrics).decode())
        for sample in family.samples
        if sample.value and not sample.name.endswith("_bucket")
    }


def test_the_page_is_the_sum_of_all_fronts() -> None:
    """Each front counts for itself; the reader adds."""
    metrics = Metrics.create(2, ["spf"])
    metrics.front(0).message("accept", 0.02)
    metrics.front(1).message("accept", 0.2)
    metrics.front(1).check("spf", "unknown")
    assert values(metrics) == {
        ("filterd_messages_total", "accept"): 2.0,
        ("filterd_eom_seconds_count",): 2.0,
        ("filterd_eom_seconds_sum",): 0.22,
        ("filterd_checks_total", "spf", "unknown"): 1.0,
    }


def test_holds_in_part() -> None:
    """Have a series of their own, beside what the message was for the others."""
    metrics = Metrics.create(1)
    metrics.front(0).held_in_part()
    metrics.front(0).message("accept", 0.25)
    assert values(metrics)[("filterd_partial_holds_total",)] == 1.0
    assert values(metrics)[("filterd_messages_total", "accept")] == 1.0


def test_a_forked_process_counts_into_the_same_memory() -> None:
    """What a front counts after the fork is seen by the supervisor, even when the front dies at once."""
    metrics = Metrics.create(1)
    row = metrics.claim()
    child = os.fork()
    if child == 0:
        metrics.front(row).lookups(10, 3)
        os._exit(0)
    os.waitpid(child, 0)
    assert values(metrics)[("filterd_dns_wire_queries_total",)] == 3.0


def test_buckets_are_cumulative() -> None:
    """A wait counts in its bucket and in all above."""
    metrics = Metrics.create(1)
    for seconds in (0.001, 0.3, 100.0):
        metrics.front(0).observe("filterd_eom_seconds", seconds)
    page = render(metrics).decode()
    assert 'filterd_eom_seconds_bucket{le="0.005"} 1.0' in page
    assert 'filterd_eom_seconds_bucket{le="0.5"} 2.0' in page
    assert 'filterd_eom_seconds_bucket{le="60.0"} 2.0' in page
    assert 'filterd_eom_seconds_bucket{le="+Inf"} 3.0' in page


def test_a_bound_belongs_to_its_bucket() -> None:
    """Prometheus buckets are `less or equal`."""
    metrics = Metrics.create(1)
    metrics.front(0).observe("filterd_eom_seconds", 0.5)
    assert 'filterd_eom_seconds_bucket{le="0.5"} 1.0' in render(metrics).decode()


def test_labels_outside_the_vocabulary_count_as_other() -> None:
    """Rows have a fixed size: nothing a message holds can make a new series."""
    metrics = Metrics.create(1, ["spf"])
    metrics.front(0).check("nonsense", "ok")
    metrics.front(0).inspector_failed("nonsense")
    metrics.front(0).inc("filterd_nonsense")
    assert values(metrics) == {
        ("filterd_checks_total", "other", "ok"): 1.0,
        ("filterd_inspector_failures_total", "other"): 1.0,
    }


def test_rules_that_were_suspended_are_counted() -> None:
    """By what was done, never by name: a rule set can have any number of rules."""
    metrics = Metrics.create(1)
    for deed in ("suspended", "excused", "suspended"):
        metrics.front(0).rule_demoted(deed)
    found = {("filterd_rule_demotions_total", "suspended"): 2.0, ("filterd_rule_demotions_total", "excused"): 1.0}
    assert values(metrics) == found


def test_a_dead_front_leaves_its_counts_and_takes_its_gauges() -> None:
    """Counters never go back; sessions of a process that is gone are gone."""
    metrics = Metrics.create(1)
    row = metrics.claim()
    metrics.front(row).message("reject", 0.1)
    metrics.front(row).session(+1)
    metrics.release(row)
    found = values(metrics)
    assert found[("filterd_messages_total", "reject")] == 1.0
    assert ("filterd_sessions",) not in found


def test_a_suspended_list_is_1_however_many_fronts_know_of_it() -> None:
    """By its displayed name; lists that came with a reload share one series, and a front that ends takes its word."""
    metrics = Metrics.create(2, (), ["zen.example", "dbl.example"])
    name = "filterd_dnsbl_suspended"
    assert f'{name}{{list="dbl.example"}} 0.0' in render(metrics).decode()
    for row in (0, 1):
        metrics.front(row).lists_suspended({"zen.example": True, "dbl.example": False, "new.example": True, "x": False})
    assert values(metrics) == {(name, "zen.example"): 1.0, (name, "other"): 1.0}
    metrics.front(0).lists_suspended({"zen.example": False})
    assert values(metrics) == {(name, "zen.example"): 1.0, (name, "other"): 1.0}
    metrics.release(1)
    assert values(metrics) == {}


def test_rows_are_not_shared_while_one_is_free() -> None:
    """Fronts that drain after a reload keep their own rows."""
    metrics = Metrics.create(2)
    claimed = [metrics.claim() for _ in range(8)]
    assert len(set(claimed)) == 8
    metrics.release(claimed[3])
    assert metrics.claim() == claimed[3]


def test_threads_do_not_lose_counts() -> None:
    """Callback threads of one front share its row."""
    front = Metrics.create(1).front(0)

    def count() -> None:
        for _ in range(2000):
            front.store_failed()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert front._cells[front._index[("filterd_store_errors",)]] == 8000.0
