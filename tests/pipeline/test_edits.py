"""Forged fields out, ours in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.model.authentication import SpfResult, SpfScope, SpfStatus
from filterd.model.message import HeaderField
from filterd.model.report import CheckReport, Finding, Outcome
from filterd.model.session import Envelope
from filterd.model.verdict import Action, DeleteHeader, InsertHeader, ScoredSymbol, Verdict
from filterd.pipeline.edits import MAX_SYMBOLS, added, edits, forged, traced
from tests.pipeline.fakes import US, reports_of

AR = b"Authentication-Results"
OURS = (AR, b" " + US.encode() + b"; spf=pass")
FOREIGN = (AR, b" mx.other.test; spf=pass")
SENDER = Envelope("anna@sender.test")
SPF = CheckReport(
    "spf", Outcome.OK, auth_results=(SpfResult(SpfStatus.PASS, "sender.test", SpfScope.MAILFROM, "ip4:192.0.2.1"),)
)


def _applied(fields: list[HeaderField], deletions: tuple[DeleteHeader, ...]) -> list[HeaderField]:
    """What an MTA makes of the deletions, which counts anew after each."""
    left = list(fields)
    for deletion in deletions:
        same = [i for i, (name, _) in enumerate(left) if name.decode("latin-1").lower() == deletion.name.lower()]
        del left[same[deletion.occurrence - 1]]
    return left


def _verdict(action: Action = Action.ACCEPT, symbols: tuple[ScoredSymbol, ...] = (), **rest: Action) -> Verdict:
    return Verdict(action, "clean", "score 0.0", 1.25, symbols, None, rest.get("observed"))


@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.threat("AR-01")
def test_five_forged_fields_among_five_foreign_ones_are_the_ones_that_go(first: str) -> None:
    """Deleting from the highest index down leaves the foreign five, though the MTA renumbers after each deletion."""
    pair = [OURS, FOREIGN] if first == "ours" else [FOREIGN, OURS]
    deletions = forged(pair * 5, US)
    assert [deletion.occurrence for deletion in deletions] == ([9, 7, 5, 3, 1] if first == "ours" else [10, 8, 6, 4, 2])
    assert _applied(pair * 5, deletions) == [FOREIGN] * 5


@pytest.mark.parametrize(
    "field",
    [
        (b"authentication-results", b" MX.Filterd.Test; spf=pass"),
        (b"AUTHENTICATION-RESULTS", b' "mx.filterd.test"; spf=pass'),
        (AR, b"\r\n\tmx.filterd.test 1; spf=pass"),
        (AR, b" (c) mx.filterd.test.; spf=pass"),
        (b"X-Filterd-Score", b" -100.00 accept"),
        (b"x-FILTERD-anything-at-all", b""),
        (b"X-Spam-Flag", b" NO"),
        (b"received-SPF", b" pass (mx.filterd.test: 192.0.2.1 may send) client-ip=192.0.2.1"),
    ],
)
@pytest.mark.threat("AR-02")
@pytest.mark.threat("AR-03")
def test_what_speaks_in_our_name_goes(field: HeaderField) -> None:
    """Our results in any spelling, our own namespace, and the flag we set."""
    fields = [(b"Subject", b" x"), field]
    assert _applied(fields, forged(fields, US)) == [(b"Subject", b" x")]


@pytest.mark.parametrize(
    "field",
    [
        (AR, b" mx.filterd.test.evil.test; spf=pass"),
        (AR, b" sub.mx.filterd.test; spf=pass"),
        (b"Old-Authentication-Results", b" mx.filterd.test; spf=pass"),
        (b"X-Filterd", b" no hyphen behind it"),
        (b"X-Spam-Status", b" No"),
        (b"Received-SPF", b" pass"),
    ],
)
@pytest.mark.threat("AR-02")
def test_what_is_somebody_elses_stays(field: HeaderField) -> None:
    """A field that nobody takes for ours is not ours to remove."""
    assert forged([field], US) == ()


@given(fields=st.lists(st.sampled_from([OURS, FOREIGN, (b"X-Filterd-Id", b" x"), (b"Subject", b" y")]), max_size=30))
@pytest.mark.threat("AR-01")
def test_any_order_of_forged_and_foreign_fields_leaves_exactly_the_foreign(fields: list[HeaderField]) -> None:
    """However they are mixed, every forged field goes and the rest keeps its order."""
    assert _applied(fields, forged(fields, US)) == [
        field for field in fields if field in (FOREIGN, (b"Subject", b" y"))
    ]


def test_our_fields_stand_on_top_results_first() -> None:
    """Indexes count up from 0: inserted in this order they stand in this order above everything else."""
    ours = added(_verdict(), "ID1", US, reports_of(SPF), SENDER, "mail.sender.test")
    assert [(edit.index, edit.name) for edit in ours] == [
        (0, "Authentication-Results"),
        (1, "X-Filterd-Id"),
        (2, "X-Filterd-Score"),
    ]
    assert ours[0].value == f"{US};\r\n\tspf=pass smtp.mailfrom=anna@sender.test"
    assert [edit.value for edit in ours[1:]] == ["ID1", "1.25 accept"]


def test_received_spf_stands_below_them_where_it_is_wanted() -> None:
    """MAIL FROM first: a reader that takes the topmost takes that one (RFC 7208, section 9.1)."""
    hello = SpfResult(SpfStatus.NONE, "mail.sender.test", SpfScope.HELO, "no record")
    report = replace(SPF, auth_results=(hello, *SPF.auth_results))
    ours = added(_verdict(), "ID1", US, {"spf": report}, SENDER, "mail.sender.test")
    all_of_them = traced(ours, report, US, "192.0.2.1", SENDER, "mail.sender.test")
    assert all_of_them[: len(ours)] == ours
    assert [(edit.index, edit.name, edit.value.split()[:3:2]) for edit in all_of_them[len(ours) :]] == [
        (3, "Received-SPF", ["pass", "identity=mailfrom;"]),
        (4, "Received-SPF", ["none", "identity=helo;"]),
    ]
    assert traced(ours, None, US, "192.0.2.1", SENDER, "") == ours


@pytest.mark.threat("AR-03")
def test_where_we_write_received_spf_a_nameless_one_goes() -> None:
    """It would be read as ours; another server's stays, as it does where we write none."""
    nameless, foreign = (b"Received-SPF", b" pass"), (b"Received-SPF", b" fail receiver=mx.other.test")
    ours = traced((), SPF, US, "192.0.2.1", SENDER, "mail.sender.test")
    assert edits(_verdict(), [nameless, foreign], ours, US) == (DeleteHeader("Received-SPF", 1), *ours)
    assert edits(_verdict(), [nameless, foreign], (), US) == ()


def test_a_tagged_message_is_flagged() -> None:
    """Whoever sorts mail downstream needs one word."""
    ours = added(_verdict(Action.ADD_HEADER), "ID1", US, {}, SENDER, "")
    assert ours[-1] == InsertHeader(3, "X-Spam-Flag", "YES")


def test_deletions_come_before_insertions() -> None:
    """An insertion would shift the indexes that deletions count by."""
    ours = added(_verdict(), "ID1", US, {}, SENDER, "")
    found = edits(_verdict(), [OURS, FOREIGN, OURS], ours, US)
    assert found == (DeleteHeader(AR.decode(), 3), DeleteHeader(AR.decode(), 1), *ours)


@pytest.mark.parametrize("action", [Action.QUARANTINE, Action.REJECT, Action.DEFER, Action.DISCARD])
def test_what_is_not_delivered_now_is_not_edited(action: Action) -> None:
    """A held message is held as it came."""
    assert edits(_verdict(action), [OURS], (), US) == ()


def test_observing_edits_nothing() -> None:
    """Observe-only mode touches no message, not even a forged field."""
    assert edits(_verdict(observed=Action.REJECT), [OURS], (), US) == ()


def test_no_line_of_ours_is_longer_than_78_columns() -> None:
    """RFC 5322, section 2.1.1, with a tab counted to the eighth column; every symbol stays whole."""
    symbols = tuple(ScoredSymbol(Finding(f"SYMBOL_{'X' * (number % 50)}"), "content", 1.0) for number in range(60))
    ours = added(_verdict(Action.ADD_HEADER, symbols), "ID1", US, reports_of(SPF), SENDER, "mail.sender.test")
    for edit in ours:
        lines = f"{edit.name}: {edit.value}".expandtabs(8).split("\r\n")
        assert max(len(line) for line in lines) <= 78
    words = ours[2].value.split()
    assert words[2:] == [f"{symbol.finding.symbol}=1" for symbol in symbols[:MAX_SYMBOLS]]


@pytest.mark.parametrize(("length", "folded"), [(47, False), (48, True)])
def test_a_line_is_filled_before_it_is_folded(length: int, *, folded: bool) -> None:
    """A symbol that just fits stands behind what is there, one column more begins a line."""
    verdict = _verdict(symbols=(ScoredSymbol(Finding("S" * length), "content", 1.0),))
    value = added(verdict, "ID1", US, {}, SENDER, "")[2].value
    assert value == "1.25 accept" + ("\r\n\t" if folded else " ") + "S" * length + "=1"


@pytest.mark.parametrize("symbol", ["YARA_X\r\nBcc: all@local.test", "YARA_X\nX: y", "YARA_\x00", "YARA_ü", "YARA_X Y"])
def test_a_symbol_cannot_bring_a_line_of_its_own(symbol: str) -> None:
    """Rules' symbols come from the process that reads hostile mail: what is no symbol does not reach the header."""
    verdict = _verdict(Action.ADD_HEADER, (ScoredSymbol(Finding(symbol), "yara", 1.0),))
    assert added(verdict, "ID1", US, {}, SENDER, "")[2].value == "1.25 add_header"
