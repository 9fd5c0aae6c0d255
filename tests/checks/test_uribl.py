from dataclasses import dataclass, field, replace
from hashlib import sha256

import pytest

from filterd.checks.mentions import MAX_ADDRESSES, MAX_FILES, MAX_HOSTS, MAX_RECEIVED, MAX_URL_ADDRESSES
from filterd.checks.uribl import CAPPED, OTHERS_CAPPED, UriblCheck
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.dnsbl import Subject, Zone
from filterd.dnsbl.keys import parse_query
from filterd.model.dns import Question, RRType
from filterd.model.inspection import Author, Inspection, Mailbox, PartFacts
from filterd.model.message import HeaderField
from filterd.model.report import CheckReport, Outcome, Stage
from filterd.model.session import Client, Envelope, TrustClass
from tests.checks import views

CLIENTS = Zone(
    "clients",
    "zen.example",
    "zen.example",
    frozenset({Subject.CLIENT, Subject.RECEIVED, Subject.URL_ADDRESS}),
    codes={"127.0.0.2": "SBL", "127.0.0.10": "PBL"},
    codes_about={Subject.RECEIVED: {"127.0.0.2": "RECEIVED_SBL"}, Subject.URL_ADDRESS: {"127.0.0.2": "URL_SBL"}},
    ipv6=True,
)
DBL = Zone(
    "dbl",
    "dbl.example",
    "dbl.example",
    frozenset({Subject.SENDER_DOMAIN, Subject.FROM_DOMAIN, Subject.URL_HOST}),
    codes={"127.0.1.2": "DBL_SPAM"},
)
SURBL = Zone(
    "surbl",
    "multi.example",
    "multi.example",
    frozenset({Subject.URL_HOST, Subject.URL_ADDRESS}),
    bits=((8, "PHISH"),),
    refused_bits=1,
)
EBL = Zone(
    "ebl",
    "ebl.example",
    "ebl.example",
    frozenset({Subject.ADDRESS_HASH}),
    codes={"127.0.0.2": "EBL"},
    key=parse_query("{lower|untag|sha1}.{zone}")[0],
)
FILES = Zone(
    "files",
    "key1.hbl.example",
    "hbl.example",
    frozenset({Subject.ATTACHMENT_HASH}),
    codes={"127.0.3.10": "MALWARE"},
    key=parse_query("{sha256|base32}.{zone}")[0],
)
CLIENT = Client("198.51.100.7")
READ = Inspection(Author((Mailbox("anna", "author.example"),)), hosts=("www.link.example",))


@dataclass(frozen=True)
class FakeView(views.FakeView):
    """A client and content that lists may be asked about."""

    client: Client = CLIENT
    inspection: Inspection | None = READ
    trust: TrustClass = TrustClass.STRANGER
    fields: list[HeaderField] = field(default_factory=list)


def chain(*addresses: str) -> list[HeaderField]:
    """Received fields, newest first."""
    return [(b"Received", f" from mx.example (mx.example [{one}])\r\n\tby here.example".encode()) for one in addresses]


def hashed(address: str) -> str:
    """The name that EBL is asked for an address."""
    return f"{EBL.key.of_address(address)}.ebl.example"


def part(
    content: bytes, *, name: str = "", kind: str = "", detected: str = "data", encrypted: bool = False
) -> PartFacts:
    """A part as the inspector describes it."""
    digest = sha256(content).hexdigest()
    return PartFacts("1.2", kind, detected, name, len(content), digest, 1, encrypted=encrypted)


def run(check: UriblCheck, view: FakeView, resolver: FakeResolver | None = None) -> tuple[CheckReport, list[str]]:
    """The report, and the names that were asked."""
    resolver = resolver or FakeResolver()
    report = complete(check.run(view), resolver.lookup)
    assert {finding.symbol for finding in report.findings} <= check.symbols
    return report, [question.name for question in resolver.asked]


def test_names_of_sender_author_and_links_are_asked_in_one_go() -> None:
    """Each list about its own subjects, each name once."""
    view = FakeView(
        inspection=Inspection(Author((Mailbox("a", "sender.example"),)), hosts=("a.link.example", "b.link.example"))
    )
    plan = UriblCheck([DBL, SURBL]).run(view)
    assert sorted(question.name for question in next(plan)) == [
        "link.example.dbl.example",
        "link.example.multi.example",
        "sender.example.dbl.example",
    ]


def test_a_listed_link_is_found() -> None:
    """By a list of bits."""
    resolver = FakeResolver(a={"link.example.multi.example": ["127.0.0.8"]})
    report = complete(UriblCheck([DBL, SURBL]).run(FakeView()), resolver.lookup)
    assert [(f.symbol, f.evidence[0]) for f in report.findings] == [("PHISH", "url_host www.link.example")]


def test_the_senders_domain_is_foreseen_at_mail() -> None:
    """What is asked then is what will be asked at the end, so the end does not wait for it."""
    check = UriblCheck([DBL, SURBL])
    plan = check.foresee(FakeView(inspection=None), Stage.MAIL)
    assert plan is not None
    assert [question.name for question in next(plan)] == ["sender.example.dbl.example"]
    assert check.foresee(FakeView(), Stage.CONNECT) is None
    assert check.foresee(FakeView(envelope=Envelope("")), Stage.MAIL) is None


@pytest.mark.threat("DNS-08")
def test_no_more_hosts_than_the_cap_are_asked_about_and_it_is_said() -> None:
    """Ten thousand links cost a bounded number of questions, and the last ones are not hidden behind the first."""
    hosts = tuple(f"www.h{n}.example" for n in range(10_000))
    resolver = FakeResolver(a={"h9999.example.multi.example": ["127.0.0.8"]})
    report = complete(UriblCheck([SURBL]).run(FakeView(inspection=Inspection(hosts=hosts))), resolver.lookup)
    assert len(resolver.asked) == MAX_HOSTS
    assert [finding.symbol for finding in report.findings] == [CAPPED, "PHISH"]


@pytest.mark.threat("DNS-07")
def test_hostile_names_ask_nothing() -> None:
    """Addresses, empty labels, NULs and overlong names are no questions."""
    hosts = ("192.0.2.1", "a..b", "x" * 300 + ".example", "a\0b.example", "[::1]", "localhost", "")
    resolver = FakeResolver()
    view = FakeView(envelope=Envelope("a@[192.0.2.1]"), inspection=Inspection(hosts=hosts))
    names = replace(SURBL, subjects=frozenset({Subject.URL_HOST}))
    report = complete(UriblCheck([DBL, names]).run(view), resolver.lookup)
    assert (report.outcome, resolver.asked) == (Outcome.OK, [])


def test_without_an_inspection_the_links_are_unknown() -> None:
    """Content nobody read is not free of links; the sender is asked about all the same."""
    resolver = FakeResolver(a={"sender.example.dbl.example": ["127.0.1.2"]})
    report = complete(UriblCheck([DBL]).run(FakeView(inspection=None)), resolver.lookup)
    assert report.outcome is Outcome.UNKNOWN
    assert [finding.symbol for finding in report.findings] == ["DBL_SPAM"]


def test_no_list_is_a_skipped_check() -> None:
    """An operator who wants none is not told of unknowns."""
    report = complete(UriblCheck([]).run(FakeView()), FakeResolver().lookup)
    assert report.outcome is Outcome.SKIPPED


def test_symbols_are_those_of_the_lists() -> None:
    """They come from data, for the lists that are asked about what a message says, and their subjects."""
    other = Zone("o", "o.example", "o.example", frozenset({Subject.DKIM_DOMAIN}), codes={"127.0.0.2": "OTHER"})
    assert UriblCheck([DBL, SURBL, other]).symbols == {"DBL_SPAM", "PHISH", CAPPED, OTHERS_CAPPED}
    assert {"RECEIVED_SBL", "URL_SBL"} <= UriblCheck([CLIENTS]).symbols


def test_earlier_hosts_are_asked_about() -> None:
    """Public addresses of the Received chain, under a symbol of their own."""
    resolver = FakeResolver(a={"8.100.51.198.zen.example": ["127.0.0.2"]})
    view = FakeView(fields=chain("198.51.100.8", "2001:db8::1"))
    report, asked = run(UriblCheck([CLIENTS]), view, resolver)
    assert asked == ["8.100.51.198.zen.example", "1." + "0." * 23 + "8.b.d.0.1.0.0.2.zen.example"]
    assert [(f.symbol, f.evidence) for f in report.findings] == [
        ("RECEIVED_SBL", ("received 198.51.100.8", "zen.example", "127.0.0.2"))
    ]


def test_a_dial_up_address_in_the_chain_is_no_finding() -> None:
    """People send from there through their provider; the list is well, so nothing is unknown either."""
    resolver = FakeResolver(a={"8.100.51.198.zen.example": ["127.0.0.10"]})
    report, _ = run(UriblCheck([CLIENTS]), FakeView(fields=chain("198.51.100.8")), resolver)
    assert (report.outcome, report.findings) == (Outcome.OK, ())


@pytest.mark.threat("DNS-04")
def test_neither_the_client_nor_private_addresses_are_asked_about_as_earlier_hosts() -> None:
    """The client is judged as such, and a list learns nothing of anybody's network."""
    view = FakeView(
        fields=chain("198.51.100.7", "10.0.0.1", "192.168.1.1", "fe80::1", "::1", "127.0.0.1", "::ffff:10.0.0.1")
    )
    assert run(UriblCheck([CLIENTS]), view)[1] == []


def test_behind_a_relay_what_stands_before_the_client_is_ours() -> None:
    """The newest lines were written between our own hosts."""
    view = FakeView(fields=chain("203.0.113.1", "198.51.100.7", "198.51.100.9"), trust=TrustClass.RELAY)
    assert run(UriblCheck([CLIENTS]), view)[1] == ["9.100.51.198.zen.example"]
    stranger = replace(view, trust=TrustClass.STRANGER)  # there the client can write its own address anywhere
    assert run(UriblCheck([CLIENTS]), stranger)[1] == ["1.113.0.203.zen.example", "9.100.51.198.zen.example"]


@pytest.mark.threat("DNS-08")
def test_a_chain_of_hundreds_of_hosts_asks_little_and_says_so() -> None:
    """And its end is not hidden behind its beginning."""
    view = FakeView(fields=chain(*[f"2001:db8::{n:x}" for n in range(500)]))
    report, asked = run(UriblCheck([CLIENTS]), view)
    assert len(asked) == MAX_RECEIVED
    assert "3.f.1." + "0." * 21 + "8.b.d.0.1.0.0.2.zen.example" in asked
    assert [finding.symbol for finding in report.findings] == [OTHERS_CAPPED]


@pytest.mark.threat("DNS-07")
def test_a_chain_of_nonsense_is_no_exception() -> None:
    """Bytes that are no text, addresses that are none, fields without end."""
    values = [b"\xff\xfe[\xff]", b"from x ([" + b"1" * 100_000, b" from x (x [198.51.100.300]) by y", b"", b"[" * 5_000]
    view = FakeView(fields=[(b"Received", value) for value in values])
    report, asked = run(UriblCheck([CLIENTS]), view)
    assert (report.outcome, asked) == (Outcome.OK, [])


def test_earlier_hosts_are_foreseen_with_the_header() -> None:
    """Only where a list is asked about them: else nothing is read then."""
    view = FakeView(fields=chain("198.51.100.8"), inspection=None)
    assert views.foreseen(UriblCheck([CLIENTS]), view, Stage.HEADERS) == ["8.100.51.198.zen.example"]
    assert UriblCheck([CLIENTS]).foresees == {Stage.MAIL, Stage.HEADERS}
    assert UriblCheck([DBL, SURBL]).foresees == {Stage.MAIL}
    assert UriblCheck([]).foresees == frozenset()


@pytest.mark.threat("DNS-08")
def test_addresses_in_links_are_asked_in_reverse() -> None:
    """To lists that take addresses, of names and of clients; private ones to none."""
    hosts = ("198.51.100.9", "2001:db8::2", "10.0.0.1", "::1", "www.link.example")
    resolver = FakeResolver(a={"9.100.51.198.zen.example": ["127.0.0.2"], "9.100.51.198.multi.example": ["127.0.0.8"]})
    report, asked = run(UriblCheck([CLIENTS, SURBL]), FakeView(inspection=Inspection(hosts=hosts)), resolver)
    assert asked == [
        "9.100.51.198.zen.example",
        "2." + "0." * 23 + "8.b.d.0.1.0.0.2.zen.example",
        "link.example.multi.example",
        "9.100.51.198.multi.example",
    ]
    assert [finding.symbol for finding in report.findings] == ["URL_SBL", "PHISH"]


@pytest.mark.threat("DNS-08")
def test_hundreds_of_addresses_in_links_ask_little_and_it_is_said() -> None:
    """As with names."""
    hosts = tuple(f"198.51.100.{n}" for n in range(200))
    report, asked = run(UriblCheck([CLIENTS]), FakeView(inspection=Inspection(hosts=hosts)))
    assert len(asked) == MAX_URL_ADDRESSES
    assert [(f.symbol, f.evidence) for f in report.findings] == [(OTHERS_CAPPED, ("200 hosts by address",))]


def test_e_mail_addresses_are_asked_as_hashes() -> None:
    """Author first, then what else the message names; one mailbox once, though it is written in two ways."""
    addresses = ("drop@box.example", "Anna+x@author.example")
    resolver = FakeResolver(a={hashed("drop@box.example"): ["127.0.0.2"]})
    report, asked = run(UriblCheck([EBL]), FakeView(inspection=replace(READ, addresses=addresses)), resolver)
    assert asked == [hashed("anna@author.example"), hashed("drop@box.example")]
    assert [(f.symbol, f.evidence) for f in report.findings] == [
        ("EBL", ("address_hash drop@box.example", "ebl.example", "127.0.0.2"))
    ]


def test_the_senders_address_is_foreseen_as_the_authors() -> None:
    """Mostly it is, and then the end of the message does not wait for it."""
    view = FakeView(inspection=None, envelope=Envelope("Anna@author.example"))
    assert views.foreseen(UriblCheck([EBL]), view, Stage.MAIL) == [hashed("anna@author.example")]


@pytest.mark.threat("DNS-07")
def test_hostile_e_mail_addresses_ask_nothing() -> None:
    """No UTF-8, no domain, far too long: nobody has them on a list."""
    mailboxes = (Mailbox("\ufffd\ufffd", "author.example"), Mailbox("a" * 500, "author.example"), Mailbox("anna", ""))
    addresses = ("@", "anna", "\ud800@x.example", "a@" + "x" * 500, "a\0b@x.example")
    report, asked = run(UriblCheck([EBL]), FakeView(inspection=Inspection(Author(mailboxes), addresses=addresses)))
    assert (report.outcome, asked) == (Outcome.OK, [])


def test_many_e_mail_addresses_ask_little_and_the_author_is_among_them() -> None:
    """A long thread names dozens of people."""
    addresses = tuple(f"a{n}@box.example" for n in range(60))
    report, asked = run(UriblCheck([EBL]), FakeView(inspection=replace(READ, addresses=addresses)))
    assert len(asked) == MAX_ADDRESSES
    assert asked[0] == hashed("anna@author.example")
    assert [(f.symbol, f.evidence) for f in report.findings] == [(OTHERS_CAPPED, ("61 e-mail addresses",))]


def test_a_file_is_asked_as_its_hash() -> None:
    """Attached or unpacked; the key in the zone is shown nowhere."""
    program = part(b"MZ", name="a.exe", kind="application/octet-stream", detected="exe")
    name = f"{FILES.key.of_digest(program.sha256)}.key1.hbl.example"
    report, asked = run(
        UriblCheck([FILES]), FakeView(inspection=Inspection(parts=(program,))), FakeResolver(a={name: ["127.0.3.10"]})
    )
    assert asked == [name]
    assert [finding.symbol for finding in report.findings] == ["MALWARE"]
    assert "key1" not in str(report)


def test_text_pictures_and_what_cannot_be_read_are_no_files_to_ask_about() -> None:
    """A list of malware has neither the text of a message nor its logo, and an encrypted member has no hash."""
    parts = (
        part(b"Hello", kind="text/plain", detected="text"),
        part(b"<html>", kind="text/html", detected="html"),
        part(b"PNG", name="logo.png", kind="image/png", detected="png"),
        part(b"?", name="a.zip/b.exe", encrypted=True),
        part(b"", name="empty.bin"),
    )
    assert run(UriblCheck([FILES]), FakeView(inspection=Inspection(parts=parts)))[1] == []


def test_a_text_with_a_name_is_a_file() -> None:
    """A script is sent as text."""
    parts = (part(b"WScript", name="invoice.js", kind="text/plain", detected="text"),) * 2
    assert len(run(UriblCheck([FILES]), FakeView(inspection=Inspection(parts=parts)))[1]) == 1


@pytest.mark.threat("DNS-08")
def test_very_many_files_ask_little() -> None:
    """The first and the last ones."""
    parts = tuple(part(str(n).encode(), name="a") for n in range(1_000))
    report, asked = run(UriblCheck([FILES]), FakeView(inspection=Inspection(parts=parts)))
    assert len(asked) == MAX_FILES
    assert asked[-1].startswith(FILES.key.of_digest(parts[-1].sha256))
    assert [(f.symbol, f.evidence) for f in report.findings] == [(OTHERS_CAPPED, ("1000 files",))]


@pytest.mark.parametrize("record", ["127.255.255.254", "127.0.0.1", "10.0.0.1", "203.0.113.5", "127.0.0.77"])
@pytest.mark.threat("DNS-01")
@pytest.mark.threat("DNS-02")
def test_no_subject_takes_an_answer_that_is_none_for_a_hit(record: str) -> None:
    """Refusals, foreign addresses and undeclared codes are unknown, whatever was asked about."""
    everything = Inspection(
        Author((Mailbox("anna", "author.example"),)),
        parts=(part(b"MZ", name="a.exe"),),
        hosts=("www.link.example", "198.51.100.9"),
        addresses=("drop@box.example",),
    )
    view = FakeView(inspection=everything, fields=chain("198.51.100.8"))
    for zone in (CLIENTS, DBL, SURBL, EBL, FILES):
        check = UriblCheck([zone])
        _, asked = run(check, view)
        report, _ = run(check, view, FakeResolver(a={name: [record] for name in asked}))
        assert asked
        assert (report.outcome, report.findings) == (Outcome.UNKNOWN, ())
        assert record in report.cause


def test_subjects_that_share_a_question_may_mean_different_things() -> None:
    """Asked once; each reads the answer its own way, and a symbol they share is found once."""
    zone = replace(DBL, codes_about={Subject.URL_HOST: {"127.0.1.2": "LINK_SPAM"}})
    view = FakeView(
        envelope=Envelope("a@one.example"),
        inspection=Inspection(Author((Mailbox("a", "one.example"),)), hosts=("one.example",)),
    )
    report, asked = run(UriblCheck([zone]), view, FakeResolver(a={"one.example.dbl.example": ["127.0.1.2"]}))
    assert asked == ["one.example.dbl.example"]
    assert [(f.symbol, f.evidence[0]) for f in report.findings] == [
        ("DBL_SPAM", "sender_domain one.example"),
        ("LINK_SPAM", "url_host one.example"),
    ]


def test_subjects_that_no_list_is_asked_about_are_not_looked_at() -> None:
    """What nobody wants costs nothing."""

    class Closed(FakeView):
        """A view whose header must not be read."""

        def values(self, name: bytes) -> list[bytes]:
            """Nobody may call it."""
            raise AssertionError(name)

    report, asked = run(UriblCheck([DBL]), Closed())
    assert report.outcome is Outcome.OK
    assert len(asked) == 3


def test_a_question_is_of_type_a() -> None:
    """RFC 5782, section 2.1."""
    assert next(UriblCheck([EBL]).run(FakeView())) == (Question(hashed("anna@author.example"), RRType.A),)
