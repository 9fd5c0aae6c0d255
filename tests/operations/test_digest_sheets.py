"""When a digest is due, and who is told of what."""

from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import pytest

from filterd.config.digest import NEVER, REASONS
from filterd.operations.digest_sheets import Audience, Schedule, day_and_time, name_of, sheets
from filterd.quarantine import Entry
from filterd.quarantine.entries import entry_of
from tests.quarantine.samples import evidence, identifier, raw

BERLIN = ZoneInfo("Europe/Berlin")
NEPAL = ZoneInfo("Asia/Kathmandu")
APIA = ZoneInfo("Pacific/Apia")
HOUR = 3_600


def at(text: str, zone: tzinfo = UTC) -> float:
    """A time in epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("hour", "minute", "zone", "now", "last"),
    [
        (7, 0, UTC, "2026-05-04T06:59:59", "2026-05-03T07:00"),
        (7, 0, UTC, "2026-05-04T07:00:00", "2026-05-04T07:00"),
        (7, 0, UTC, "2026-01-01T00:00:00", "2025-12-31T07:00"),
        (0, 0, UTC, "2026-05-04T00:00:00", "2026-05-04T00:00"),
        (7, 30, BERLIN, "2026-05-04T05:29:59", "2026-05-03T05:30"),
        (7, 30, BERLIN, "2026-05-04T05:30:00", "2026-05-04T05:30"),
        (7, 30, BERLIN, "2026-12-04T06:30:00", "2026-12-04T06:30"),
        (0, 15, NEPAL, "2026-05-03T18:29:59", "2026-05-02T18:30"),
        (0, 15, NEPAL, "2026-05-03T18:30:00", "2026-05-03T18:30"),
        # 2026-03-29 02:30 is skipped in Berlin: as if clocks had not been put forward
        (2, 30, BERLIN, "2026-03-29T01:29:59", "2026-03-28T01:30"),
        (2, 30, BERLIN, "2026-03-29T01:30:00", "2026-03-29T01:30"),
        (2, 30, BERLIN, "2026-03-30T00:30:00", "2026-03-30T00:30"),
        # 2026-10-25 02:30 is there twice: the first counts, and the second is no other
        (2, 30, BERLIN, "2026-10-25T00:30:00", "2026-10-25T00:30"),
        (2, 30, BERLIN, "2026-10-25T01:30:00", "2026-10-25T00:30"),
        (2, 30, BERLIN, "2026-10-26T01:30:00", "2026-10-26T01:30"),
        # 2011-12-30 was no day in Samoa: the 31st is due 24 hours behind the 29th
        (7, 0, APIA, "2011-12-30T16:59:59", "2011-12-29T17:00"),
        (7, 0, APIA, "2011-12-30T17:00:00", "2011-12-30T17:00"),
    ],
)
def test_once_a_day(hour: int, minute: int, zone: tzinfo, now: str, last: str) -> None:
    """At that time of that zone, in summer and in winter; what clocks skip or show twice is due once."""
    assert Schedule(0, hour, minute, zone).last(at(now)) == at(last)


@pytest.mark.parametrize("zone", [UTC, BERLIN, NEPAL, APIA, ZoneInfo("Australia/Lord_Howe")], ids=str)
@pytest.mark.parametrize("clock", [(0, 0), (1, 59), (2, 30), (23, 59)])
def test_every_day_of_a_year_has_one(zone: tzinfo, clock: tuple[int, int]) -> None:
    """Looked for every half hour, times that are due never go back, are never ahead, and are one for each day."""
    schedule, found = Schedule(0, *clock, zone), []
    for step in range(365 * 48):
        now = at("2026-01-01T12:00") + step * 1_800
        last = schedule.last(now)
        assert last <= now
        found.append(last)
    assert found == sorted(found)
    assert len(set(found)) in {365, 366}
    gaps = {
        (later - earlier) // HOUR for earlier, later in zip(sorted(set(found)), sorted(set(found))[1:], strict=False)
    }
    assert gaps <= {23, 24, 25}


def test_every_so_many_hours() -> None:
    """Counted from midnight UTC, whatever the zone: the same moment on every node."""
    for zone in (UTC, NEPAL):
        six = Schedule(6, 7, 0, zone)
        assert six.last(at("2026-05-04T05:59:59")) == at("2026-05-04T00:00")
        assert six.last(at("2026-05-04T06:00:00")) == at("2026-05-04T06:00")
    assert Schedule(48, 7, 0, UTC).last(at("1970-01-04T23:00")) == at("1970-01-03T00:00")


def test_times_name_their_zone() -> None:
    """A reader knows which seven it is, twice a year too."""
    assert day_and_time(at("2026-10-25T00:30"), BERLIN) == "2026-10-25 02:30 CEST"
    assert day_and_time(at("2026-10-25T01:30"), BERLIN) == "2026-10-25 02:30 CET"


# --- who is told


def entry(number: int = 0, recipients: tuple[str, ...] = ("to@b.test",), code: str = "score") -> Entry:
    """A held message."""
    with raw() as message:
        made = entry_of(evidence(number, recipients=recipients), message)
    return replace(made, code=code)


def audience(*domains: str) -> Audience:
    """As shipped, for these domains."""
    return Audience((), domains, REASONS, NEVER)


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("to@b.test", True),
        ("TO@B.TEST", True),
        ("to@sub.b.test", False),
        ("to@a.below.test", True),
        ("to@below.test", False),
        ("to@notbelow.test", False),
        ("to@xb.test", False),
        ("b.test", False),
        ("@b.test", False),
        ("", False),
        ("a" * 65 + "@b.test", False),
        ("to@" + "a" * 300 + ".below.test", False),
        ('"quoted"@b.test', False),
        ("a,b@b.test", False),
        ("a@x.test,c@b.test", False),
        ("a b@b.test", False),
        ("a\r\nBcc: x@b.test", False),
        ("(comment)a@b.test", False),
        ("group:a@b.test", False),
        ("<a@b.test>", False),
        ("=?utf-8?q?a?=@b.test", False),
        ("a\u202e@b.test", False),
        ("a\udcff@b.test", False),
        ("jörg@b.test", True),
    ],
)
def test_who_is_told(address: str, *, told: bool) -> None:
    """Recipients of these domains, where the address can be nothing but an address in a header."""
    assert audience("b.test", ".below.test").has(address) is told


@pytest.mark.parametrize(
    ("code", "symbols", "told"),
    [
        ("score", (), True),
        ("listed", (), True),
        ("dmarc-reject", (), True),
        ("score", ("SPF_FAIL",), True),
        ("score", ("SPF_FAIL", "YARA_MALWARE"), False),
        ("score", ("UNSCANNABLE_ENCRYPTED",), False),
        ("unscannable", (), False),
        ("inspector", (), False),
        ("poison", (), False),
        ("", (), False),
    ],
)
def test_what_recipients_are_told_of(code: str, symbols: tuple[str, ...], *, told: bool) -> None:
    """Not of malware, nor of what could not be read, as shipped."""
    assert audience("b.test").may_know(replace(entry(code=code), symbols=symbols)) is told


def test_sheets() -> None:
    """Reviewers have all, each recipient his own, once, whichever way his address is written."""
    held = [
        (1, entry(0, ("To@b.test", "to@b.test", "cc@b.test", "else@where.test"))),
        (2, entry(1, ("cc@b.test",), "unscannable")),
        (3, entry(2, ("cc@b.test",))),
    ]
    found = sheets(held, {}, replace(audience("b.test"), reviewers=("r@c.test",)))
    told = {sheet.address: [one.id for one in sheet.entries] for sheet in found}
    assert told == {
        "r@c.test": [identifier(2), identifier(1), identifier(0)],
        "To@b.test": [identifier(0)],
        "cc@b.test": [identifier(2), identifier(0)],
    }
    assert {sheet.address for sheet in found if sheet.reviewer} == {"r@c.test"}
    assert [sheet.name for sheet in found] == sorted(sheet.name for sheet in found)


def test_a_reviewer_who_is_a_recipient() -> None:
    """Has two sheets: they are two names."""
    found = sheets([(1, entry())], {}, replace(audience("b.test"), reviewers=("to@b.test",)))
    assert [(sheet.address, sheet.reviewer) for sheet in found if sheet.reviewer] == [("to@b.test", True)]
    assert len({sheet.name for sheet in found}) == len(found) == 2


def test_what_was_told_is_left_out() -> None:
    """By number, for each of them apart; who has nothing left has no sheet."""
    held = [(1, entry(0, ("to@b.test", "cc@b.test"))), (2, entry(1, ("to@b.test",)))]
    told = {name_of("to@b.test", reviewer=False): 1, name_of("cc@b.test", reviewer=False): 1}
    (sheet,) = sheets(held, told, audience("b.test"))
    assert (sheet.address, [one.id for one in sheet.entries]) == ("to@b.test", [identifier(1)])
