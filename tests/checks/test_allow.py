"""The operator's list of senders: by proof only."""

import pytest

from filterd.checks.allow import AllowCheck, recalled
from filterd.model.authentication import DkimResult, DkimStatus, SpfResult, SpfScope, SpfStatus
from filterd.model.identity import Identity
from filterd.model.inspection import Author, Inspection, Mailbox
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Envelope, Recipient
from filterd.ownlists import Book, Entry, Which, parse_name
from tests.checks.views import FakeView, run, symbols

PASS = CheckReport("dkim", Outcome.OK, auth_results=(DkimResult(DkimStatus.PASS, "example.org"),))
FAIL = CheckReport("dkim", Outcome.OK, auth_results=(DkimResult(DkimStatus.FAIL, "example.org"),))
LOST = CheckReport("dkim", Outcome.UNKNOWN, cause="timeout")
SPF = CheckReport("spf", Outcome.OK, auth_results=(SpfResult(SpfStatus.FAIL, "example.org", SpfScope.MAILFROM),))
DMARC = CheckReport("dmarc", Outcome.OK)
LIST = AllowCheck((Identity.parse("dkim:example.org"),))


def book(*texts: str) -> AllowCheck:
    """A check with entries that are kept by command: `allow kind:name`, `block kind:name`."""
    pairs = [text.split(" ", 1) for text in texts]
    entries = [Entry(Which(which), *parse_name(name), reason="because") for which, name in pairs]
    return AllowCheck((), lambda: Book(entries))


def _view(dkim: CheckReport, *recipients: str) -> FakeView:
    to = tuple([Recipient(one, f"<{one}>") for one in recipients])
    return FakeView(
        fields=((b"From", b"anna@example.org"),),
        envelope=Envelope("bounce@example.org", to),
        inspection=Inspection(author=Author((Mailbox("anna", "example.org"),))),
        reports={"spf": SPF, "dkim": dkim, "dmarc": DMARC},
    )


def test_a_proved_sender_gets_its_symbol_with_the_entry() -> None:
    """Who reads the verdict sees which line of the configuration it was."""
    report = run(LIST, _view(PASS))
    assert (report.outcome, symbols(report), report.findings[0].evidence) == (
        Outcome.OK,
        ["ALLOWED_SENDER"],
        ("dkim:example.org",),
    )


@pytest.mark.threat("AUTH-01")
def test_a_from_field_alone_is_nobody() -> None:
    """The author's domain is on the list, and nothing proves that it is the author's."""
    report = run(LIST, _view(FAIL))
    assert (report.outcome, symbols(report)) == (Outcome.OK, [])


def test_what_could_not_be_checked_is_unknown() -> None:
    """Neither allowed nor refused."""
    assert run(LIST, _view(LOST)).outcome is Outcome.UNKNOWN


def test_without_entries_it_is_skipped() -> None:
    """An empty list costs nothing and says nothing."""
    assert run(AllowCheck(), _view(PASS)).outcome is Outcome.SKIPPED


@pytest.mark.parametrize(
    ("texts", "dkim", "expected"),
    [
        (["allow domain:example.org"], PASS, ["ALLOWED_SENDER"]),
        (["allow domain:example.org"], FAIL, []),
        (["allow sender:anna@example.org"], PASS, ["ALLOWED_SENDER"]),
        (["allow sender:anna@example.org"], FAIL, []),
        (["allow ip:192.0.2.0/24"], FAIL, ["ALLOWED_SENDER"]),
        (["block sender:anna@example.org"], FAIL, ["BLOCKED_SENDER"]),
        (["block domain:example.org"], FAIL, ["BLOCKED_SENDER"]),
        (["block ip:192.0.2.1", "allow domain:example.org"], PASS, ["BLOCKED_CLIENT"]),
    ],
)
@pytest.mark.threat("AUTH-01")
def test_lists_kept_by_command(texts: list[str], dkim: CheckReport, expected: list[str]) -> None:
    """Allowed is who has proved it, blocked who claims it, and what blocks goes alone."""
    assert symbols(run(book(*texts), _view(dkim))) == expected


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [(("a@ours.test",), ["BLOCKED_RECIPIENT"]), (("a@ours.test", "b@ours.test"), []), (("b@ours.test",), [])],
)
def test_recipients_of_one_mind(recipients: tuple[str, ...], expected: list[str]) -> None:
    """An entry for one recipient decides nothing for the others."""
    assert symbols(run(book("block recipient:a@ours.test"), _view(FAIL, *recipients))) == expected


def test_a_block_goes_before_the_configuration() -> None:
    """Who is allowed in the configuration and blocked by command is blocked."""
    check = AllowCheck(
        (Identity.parse("dkim:example.org"),), lambda: Book([Entry(Which.BLOCK, *parse_name("domain:example.org"))])
    )
    assert symbols(run(check, _view(PASS))) == ["BLOCKED_SENDER"]


@pytest.mark.parametrize(
    ("text", "expected"), [("allow domain:example.org", Outcome.UNKNOWN), ("block ip:198.51.100.7", Outcome.OK)]
)
def test_unknown_where_proof_was_needed(text: str, expected: Outcome) -> None:
    """What could not be checked matters only to entries that hang on it."""
    assert run(book(text), _view(LOST)).outcome is expected


def test_a_replay_is_told_the_same() -> None:
    """The entries that counted are noted, and enough to find the same again after the lists have changed."""
    check = book("block domain:example.org", "allow sender:anna@example.org", "block recipient:a@ours.test")
    report = run(check, _view(PASS, "a@ours.test"))
    then = AllowCheck((), lambda: recalled(dict(report.read)))
    again = run(then, _view(PASS, "a@ours.test"))
    assert (again.findings, again.read) == (report.findings, report.read)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"which": "allow", "kind": "ip", "name": "x"}', "\udce4", "1"])
def test_notes_that_are_none(text: str) -> None:
    """Evidence in which somebody has written is read without an exception."""
    assert not recalled({"ownlist:allow:x": text}).client("192.0.2.1", 0.0)
