"""Which entry a held message leads to, by what it has proved; and that nothing is written over or blocked unseen."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from filterd.model.authentication import (
    AuthResult,
    DkimResult,
    DkimStatus,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.custody import Evidence
from filterd.model.inspection import Author, Mailbox
from filterd.model.report import CheckReport, Outcome
from filterd.model.session import Client
from filterd.operations.allowing import MAX_REFUSED, Allower, How
from filterd.operations.ownlists import ListError, Who
from filterd.ownlists import Document, Entry, Which, parse_name
from filterd.quarantine import Quarantine
from tests.quarantine.samples import evidence, identifier, raw

NOW = 1_795_600_000.0
TODAY = datetime.fromtimestamp(NOW, UTC).date()
WHO = Who("me", "tty1", NOW)
FREE = frozenset({"gmail.com"})


def dkim(domain: str, **changed: bool) -> DkimResult:
    """A signature that verifies."""
    return replace(DkimResult(DkimStatus.PASS, domain, "s1", key_bits=2048), **changed)  # type: ignore[arg-type]  # tests name real fields


def spf(domain: str, scope: SpfScope = SpfScope.MAILFROM) -> SpfResult:
    """An envelope that passes."""
    return SpfResult(SpfStatus.PASS, domain, scope)


def dmarc(domain: str) -> DmarcResult:
    """An author that is aligned."""
    return DmarcResult(DmarcStatus.PASS, domain)


def sent(author: str, *results: AuthResult, sender: str = "", number: int = 0, **changed: object) -> Evidence:
    """Evidence of a message with these results; without an envelope sender it is the author's."""
    found = evidence(number, sender=sender or author.partition(",")[0])
    mailboxes = tuple([Mailbox(*one.split("@", 1)) for one in author.split(",") if one])
    assert found.inspection is not None
    inspection = replace(found.inspection, author=Author(mailboxes))
    reports = (CheckReport("spf", Outcome.OK, auth_results=results),)
    return replace(found, inspection=inspection, reports=reports, **changed)  # type: ignore[arg-type]  # tests name real fields


class Lists:
    """The shared lists, without a store."""

    def __init__(self, quarantine: Quarantine, *texts: str) -> None:
        """`allow kind:name` or `block kind:name`, for ever."""
        pairs = [text.split(" ", 1) for text in texts]
        entries = [Entry(Which(which), *parse_name(name), reason="because", owner="ops") for which, name in pairs]
        self.quarantine = quarantine
        self.document = Document(1, tuple(entries))

    def change(self, make: Callable[[Document], Document]) -> Document:
        """As for all fronts."""
        self.document = make(self.document)
        return self.document

    def allower(self) -> Allower:
        """What is tried."""
        return Allower(self.quarantine, self.document, self.change, FREE, WHO)

    def hold(self, *many: Evidence) -> list[str]:
        """Hold these."""
        for one in many:
            with raw() as message:
                self.quarantine.hold(one, message)
        return [one.id for one in many]


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[Quarantine]:
    """Empty."""
    with closing(Quarantine(tmp_path / "quarantine")) as found:
        yield found


@pytest.mark.parametrize(
    ("given", "entry", "proof"),
    [
        (sent("anna@a.test", dkim("a.test")), "domain:a.test", "DKIM of a.test"),
        (sent("anna@a.test", spf("a.test")), "domain:a.test", "SPF of a.test"),
        (sent("Anna@A.test", spf("a.test"), dkim("a.test")), "domain:a.test", "DKIM of a.test"),
        (sent("anna@news.a.test", dkim("a.test")), "domain:a.test", "DKIM of a.test"),
        (sent("anna@news.a.test", dkim("a.test"), dkim("news.a.test")), "domain:news.a.test", "DKIM of news.a.test"),
        (sent("anna@a.test", dkim("mail.a.test"), dmarc("a.test")), "domain:mail.a.test", "DKIM of mail.a.test"),
        (sent("anna@a.test", dkim("esp.test"), dkim("a.test")), "domain:a.test", "DKIM of a.test"),
        (sent("anna@gmail.com", dkim("gmail.com")), "sender:anna@gmail.com", "DKIM of gmail.com"),
        (sent("anna@gmail.com", dmarc("gmail.com")), "sender:anna@gmail.com", "DMARC"),
        (sent("a@me.github.io", dkim("github.io")), "sender:a@me.github.io", "DKIM of github.io"),
    ],
)
def test_bound_to_what_is_proved(quarantine: Quarantine, given: Evidence, entry: str, proof: str) -> None:
    """The author's domain as it is proved, and the address alone where others have addresses of it."""
    lists = Lists(quarantine)
    (found,) = lists.allower().planned(lists.hold(given), How())
    assert (str(found.entry), found.proof) == (entry, proof)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (sent("anna@a.test"), "nothing proves that anna@a.test"),
        (sent("anna@a.test", dkim("esp.test"), sender="b@esp.test"), "esp.test has proved itself, but not that"),
        (sent("anna@a.test", spf("bounce.esp.test"), sender="b@bounce.esp.test"), "bounce.esp.test has proved itself"),
        (sent("anna@a.test", spf("a.test", SpfScope.HELO)), "nothing proves"),
        (sent("anna@a.test", dkim("a.test", testing=True)), "nothing proves"),
        (sent("anna@a.test", dkim("a.test", covers_body=False)), "nothing proves"),
        (sent("anna@a.test", dkim("other.a.test")), "nothing proves"),
        (sent("anna@a.test,eve@b.test", dkim("a.test"), sender="x@c.test"), "nothing proves"),
        (sent("", sender="<>"), "nothing proves that anybody"),
    ],
)
def test_a_name_is_no_proof(quarantine: Quarantine, given: Evidence, words: str) -> None:
    """Without proof of the author there is no entry, whoever else has proved himself; and it says why."""
    lists = Lists(quarantine)
    with pytest.raises(ListError, match=words):
        lists.allower().planned(lists.hold(given), How())


@pytest.mark.parametrize(
    ("address", "trust", "entry"),
    [
        ("192.0.2.7", "stranger", "ip:192.0.2.7/32"),
        ("2001:db8:1:2:3::7", "stranger", "ip:2001:db8:1:2::/64"),
        ("192.0.2.7", "relay", None),
        ("192.0.2.7", "local", None),
        ("192.0.2.7", "authenticated", None),
        ("", "stranger", None),
    ],
)
def test_the_client(quarantine: Quarantine, address: str, trust: str, entry: str | None) -> None:
    """Only where it is asked for, and never what is ours: our relay brings everybody's mail."""
    lists = Lists(quarantine)
    ids = lists.hold(sent("anna@a.test", client=Client(address), trust=trust))
    if entry is None:
        with pytest.raises(ListError, match="would let in all that comes that way"):
            lists.allower().planned(ids, How(client=True))
    else:
        (found,) = lists.allower().planned(ids, How(client=True))
        assert str(found.entry) == entry


def test_put(quarantine: Quarantine) -> None:
    """The entry names its message, its owner and its last day; list and audit say the same."""
    lists = Lists(quarantine)
    allower = lists.allower()
    ids = lists.hold(sent("anna@a.test", spf("a.test")), sent("ben@a.test", spf("a.test"), number=1))
    allower.put(allower.planned(ids, How("30d")))
    (entry,) = lists.document.entries
    assert (entry.reason, entry.owner, entry.by) == (f"released {ids[0]}", "me", "me")
    assert entry.expires == date.fromordinal(TODAY.toordinal() + 30)
    assert [one.what for one in lists.document.changes] == ["add"]
    for identifier_ in ids:
        row = quarantine.audit(identifier_)[-1]
        assert (row.actor, row.origin, row.action) == ("me", "tty1", "allow")
        assert row.result == f"domain:a.test until {entry.expires} (SPF of a.test)"


def test_what_is_there_stays(quarantine: Quarantine) -> None:
    """An entry of the same name that lasts as long keeps its reason and owner; one that ends earlier is replaced."""
    lists = Lists(quarantine, "allow domain:a.test")
    ids = lists.hold(sent("anna@a.test", spf("a.test")))
    allower = lists.allower()
    found = allower.planned(ids, How())
    assert "on the allow list already" in str(found[0])
    allower.put(found)
    assert [(one.reason, one.expires) for one in lists.document.entries] == [("because", None)]
    lists.document = Document(2, (replace(lists.document.entries[0], expires=TODAY),))
    allower = lists.allower()
    allower.put(allower.planned(ids, How("never")))
    assert [(one.reason, one.expires) for one in lists.document.entries] == [(f"released {ids[0]}", None)]


@pytest.mark.parametrize("blocked", ["domain:a.test", "sender:anna@a.test", "ip:192.0.2.0/24"])
def test_blocked_all_the_same(quarantine: Quarantine, blocked: str) -> None:
    """Where a block entry counts all the same, the reviewer is told instead of believing that mail will come."""
    lists = Lists(quarantine, f"block {blocked}")
    with pytest.raises(ListError, match=f"{blocked} is on the block list .because."):
        lists.allower().planned(lists.hold(sent("anna@a.test", spf("a.test"))), How())


def test_all_or_none(quarantine: Quarantine) -> None:
    """Every message that no entry can be made of is named, up to a bound, also such as have lost their evidence."""
    lists = Lists(quarantine)
    good = lists.hold(sent("anna@a.test", spf("a.test")))
    gone = [identifier(number) for number in range(1, MAX_REFUSED + 3)]
    with pytest.raises(ListError) as refused:
        lists.allower().planned([*good, *gone], How())
    lines = str(refused.value).splitlines()
    assert (len(lines), lines[-1]) == (MAX_REFUSED + 1, "and 2 more")
    assert all("cannot be read" in line for line in lines[:-1])
    assert lists.document.entries == ()


@pytest.mark.parametrize("expires", ["soon", "2020-01-01", "-1d"])
def test_a_day_that_is_none(quarantine: Quarantine, expires: str) -> None:
    """A last day that is past or cannot be read is said."""
    lists = Lists(quarantine)
    with pytest.raises(ListError, match="expires: "):
        lists.allower().planned(lists.hold(sent("anna@a.test", spf("a.test"))), How(expires))
