"""What a report counts, how it is told, and that nothing hostile gets out of it."""

import random
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.model.ids import new_id, public_id, sibling
from filterd.operations.report import DAY, HOUR, Counting, Report, lists_by_symbol, named
from filterd.operations.report_counting import Durations, Stopwatch, Top, Tops
from filterd.operations.report_held import Held, HeldFor
from filterd.operations.report_html import page
from filterd.operations.report_tables import tables
from filterd.quarantine import Sighting

NOW = 1_790_000_000.0
_numbers = count()
ROW = Sighting(
    public_id="",
    action="accept",
    code="clean",
    score=0.0,
    client="192.0.2.7",
    sender="anna@a.test",
    recipients='["bert@b.test"]',
    header_from="anna@a.test",
    size=1_000,
    symbols='["SPF_PASS=-0.5"]',
    ms=20.0,
    observed="",
    policy="",
    place="",
    received=NOW,
    seq=0,
)
HELD = Held((HeldFor("yara", 4, 1, 2, 1, 0, 4_000), HeldFor("score", 2, 2, 0, 0, 0, 100)), {"YARA_EICAR": 2})


def row(**changes: Any) -> Sighting:
    """A row of its own message."""
    return ROW._replace(public_id=f"id{next(_numbers)}", **changes)


def report_of(rows: Sequence[Sighting], held: Held | None = HELD, *, most: int = 20) -> Report:
    """Their report."""
    zones = lists_by_symbol([("dbl.test", ["URIBL_X"]), ("other.test", ["URIBL_X"])])
    counting = Counting(NOW - 7 * DAY, NOW + DAY, zones)
    counting.take(rows)
    return counting.report(held, most)


def test_actions_reasons_and_sizes() -> None:
    """Each row counts once; reasons stand beside what was done for them, the most frequent first."""
    found = report_of([row(), row(size=500), row(action="reject", code="score"), row(action="quarantine", code="yara")])
    assert (found.messages, found.verdicts, found.bytes) == (4, 4, 3_500)
    assert found.actions == {"accept": 2, "reject": 1, "quarantine": 1}
    assert [(one.action, one.code, one.messages) for one in found.reasons] == [
        ("accept", "clean", 2),
        ("quarantine", "yara", 1),
        ("reject", "score", 1),
    ]


def test_what_was_only_observed_stands_apart() -> None:
    """It was handed on; what would have been done is told."""
    found = report_of([row(observed="reject", code="score")])
    assert found.actions == {"accept": 1}
    assert [(one.action, one.observed) for one in found.reasons] == [("accept", False), ("reject", True)]


def test_a_message_shared_out_by_policies_is_one() -> None:
    """It has a verdict for each, and is counted as a message once, whatever else has the same time."""
    identifier = new_id(NOW, bytes(10))
    shares = [ROW._replace(public_id=public_id(sibling(identifier, number))) for number in range(3)]
    found = report_of([shares[0], row(), *shares[1:]])
    assert (found.messages, found.verdicts) == (2, 4)


def test_recipients_refused_before_a_message() -> None:
    """They are verdicts and no messages, and say nothing of how long one takes."""
    found = report_of([row(size=0, ms=0.0, action="reject", code="limit"), row()])
    assert (found.messages, found.recipients, found.latency.count) == (1, 1, 1)


def test_symbols_with_points_and_what_they_cost() -> None:
    """Mean points, how many were stopped, how many of the held were released; lists and rules by themselves."""
    found = report_of(
        [
            row(symbols='["YARA_EICAR=20","URIBL_X=4"]', action="quarantine"),
            row(symbols='["YARA_EICAR=10","A=1"]', action="quarantine"),
            row(symbols='["URIBL_X=4","A=1"]'),
        ]
    )
    (rule,) = named(found, rules=True)
    assert (rule.name, rule.messages, rule.stopped, rule.points, rule.released) == ("YARA_EICAR", 2, 2, 15, 2)
    (listed,) = named(found, lists=True)
    assert (listed.name, listed.messages, listed.stopped, listed.lists) == ("URIBL_X", 2, 1, ("dbl.test", "other.test"))
    assert [one.name for one in named(found)] == ["A"]


def test_domains_and_networks() -> None:
    """By what is behind the last @, in lower case; a bounce has no sender; a network is what one customer has."""
    found = report_of(
        [
            row(sender="x@evil.test@A.test", client="192.0.2.99", action="reject"),
            row(sender="", client="2001:db8:1:2::3", recipients='["c@b.test","d@b.test","e@d.test"]'),
            row(client=""),
        ]
    )
    assert found.senders == (Top("a.test", 2, 1), Top("<>", 1, 0))
    assert {one.name for one in found.networks} == {"192.0.2.0/24", "2001:db8:1::/48", "-"}
    assert found.receivers == (Top("b.test", 3, 1), Top("d.test", 1, 0))


def test_hours_or_days() -> None:
    """Of two days hours are told, of more days; those without mail are there, too."""
    hours = report_of([row(), row(received=NOW + 3 * HOUR, action="reject")])
    assert hours.seconds_each == HOUR
    assert [dict(counts) for _, counts in hours.times] == [{"accept": 1}, {}, {}, {"reject": 1}]
    days = report_of([row(), row(received=NOW + 4 * DAY)])
    assert (days.seconds_each, len(days.times)) == (DAY, 5)


def test_columns_that_somebody_has_altered() -> None:
    """What is no list of texts counts as none."""
    assert report_of([row(symbols="[1", recipients="{}"), row(symbols='["A=x"]')]).verdicts == 2


def test_json_is_whole() -> None:
    """Everything in it is a plain value."""
    plain = msgspec.json.decode(msgspec.json.encode(report_of([row()])))
    assert plain["held"]["reasons"][0]["released"] == 2
    assert plain["latency"]["median"] == 20.0


# Counting in bounded memory.


@given(st.lists(st.sampled_from("abcdefghijklmnop"), max_size=300), st.integers(1, 5))
def test_counts_are_never_too_high_nor_lower_than_told(names: list[str], kept: int) -> None:
    """Whatever comes in whatever order: each count is right, less `missing` at most, and memory is bounded."""
    tops, truth = Tops(kept), Counter(names)
    for name in names:
        tops.add(name, stopped=name == "a")
        assert len(tops._counts) <= 2 * kept
    found = {one.name: one for one in tops.top(99)}
    for name, true in truth.items():
        counted = found[name].messages if name in found else 0
        assert true - tops.missing <= counted <= true
    assert all(0 <= one.stopped <= one.messages for one in found.values())


def test_who_floods_with_names_hides_nobody() -> None:
    """A hundred thousand names of one message each leave the frequent ones where they are."""
    tops = Tops(1_000)
    chance = random.Random(1)
    for number in range(100_000):
        tops.add(f"x{number}.test" if chance.random() < 0.9 else "busy.test", stopped=False)
    assert tops.top(1)[0].name == "busy.test"
    assert tops.top(1)[0].messages > 9_000


@given(st.lists(st.floats(0, 1e7), min_size=1, max_size=200))
def test_percentiles_are_right_to_five_percent(values: list[float]) -> None:
    """Of anything that takes 0.1 ms or longer; what is shorter counts as that."""
    watch = Stopwatch()
    for value in values:
        watch.add(value)
    found = watch.read()
    exact = sorted(values)
    for part, told in ((0.5, found.median), (0.95, found.p95), (0.99, found.p99)):
        true = exact[max(0, -int(-part * len(values) // 1) - 1)]
        assert told <= max(true * 1.0501, 0.1051)
        assert told >= min(true, found.longest) * 0.9999
    assert found.longest == exact[-1]


def test_no_durations() -> None:
    """Nothing is divided by nothing."""
    assert Stopwatch().read() == Durations(0, 0.0, 0.0, 0.0, 0.0, 0.0, ())


# Telling it.


def test_tables() -> None:
    """One for each thing that there is something of; every row has its columns."""
    found = {
        one.name: one for one in tables(report_of([row(), row(action="reject", policy="strict", observed="defer")]))
    }
    assert set(found) == {
        "total",
        "action",
        "reason",
        "observed",
        "policy",
        "symbol",
        "latency",
        "sender",
        "author",
        "network",
        "recipient",
        "held",
    }
    assert all(len(cells) == len(one.columns) for one in found.values() for cells in one.rows)
    assert found["held"].rows[0] == ("yara", "4", "1", "2", "1", "0", "50.0 %", "0.0")
    assert found["held"].rows[-1][0] == "all"


def test_nothing_at_all() -> None:
    """A report of no mail is one."""
    empty = report_of([], Held((), {}))
    assert [one.name for one in tables(empty)] == ["total"]
    assert "No mail" in page(empty, "mx.test")


HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></svg><script>x</script>",
    "&lt;b&gt;",
    "\u202ecod.exe",
    "a\x00\x1b[2J\x85b",
    "\ud800",
    "x" * 5_000,
    "' onload='x",
    "-->",
    "]]>",
    "{{7*7}}",
]


class Elements(HTMLParser):
    """What a browser would see."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One more."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def hostile() -> Report:
    """One in which every text is hostile that a stranger, or a rule's author, can choose."""
    rows = [
        row(
            sender=f"u@{text}",
            header_from=f"u@{text}",
            client=text,
            recipients=msgspec.json.encode([f"u@{text.encode('ascii', 'ignore').decode()}"]).decode(),
            symbols=msgspec.json.encode([f"{text.encode('ascii', 'ignore').decode()}=1"]).decode(),
            code=text,
            policy=text,
            action="reject",
        )
        for text in HOSTILE
    ]
    return report_of(rows, Held(tuple([HeldFor(text, 1, 1, 0, 0, 0, 1) for text in HOSTILE]), {}))


@pytest.mark.threat("OPS-09")
def test_hostile_text_stays_text() -> None:
    """In the page there are the elements and attributes that the code makes, and no others; nothing is loaded."""
    text = page(hostile(), "mx<b>.test")
    found = Elements()
    found.feed(text)
    found.close()
    page_itself = "html head meta title style body h1 h2 p section span i table thead tbody tr th td"
    assert found.tags <= set(f"{page_itself} svg rect text".split())
    attributes = found.attributes
    assert not [name for name in attributes if name.startswith("on") or name in {"src", "href", "action"}]
    assert all(one.isprintable() or one == "\n" for one in text)
    assert "url(" not in text
    assert "http:" not in text.replace("http-equiv", "")
    assert "default-src 'none'" in text
    assert "<script" not in text


@pytest.mark.threat("OPS-09")
def test_plots_are_well_formed() -> None:
    """Every svg is XML, with a name for those who hear it."""
    found = re.findall(r"<svg.*?</svg>", page(hostile(), "mx.test"), re.DOTALL)
    assert len(found) == 5
    for one in found:
        assert ET.fromstring(one).get("aria-label")  # noqa: S314  # it was made a line above


def test_a_page_is_the_same_for_the_same_mail() -> None:
    """Two of them can be compared."""
    found = report_of([row(), row(action="reject")])
    assert page(found, "mx.test") == page(replace(found), "mx.test")
