"""A domain's posture, by checkdmarc and by filterd's own evaluators, against a real name server."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dns.dnssec
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from filterd.app.front import Resolving
from filterd.app.site import load_config, load_site
from filterd.operations.domain import Examiner
from filterd.operations.domain_fetch import Fetched, FetchError
from filterd.operations.domain_values import Level, Part, Posture, State
from tests.support.dnsserver import DnsServer, ZoneData

pytestmark = pytest.mark.integration

GOOD: ZoneData = {
    "good.test": {"TXT": ["v=spf1 mx ip4:198.51.100.0/24 -all", "something else"], "MX": "10 mail.good.test"},
    "mail.good.test": {"A": "203.0.113.5"},
    "5.113.0.203.in-addr.arpa": {"PTR": "mail.good.test"},
    "_dmarc.good.test": {"TXT": "v=DMARC1; p=reject; rua=mailto:reports@good.test"},
    "_mta-sts.good.test": {"TXT": "v=STSv1; id=20260101"},
    "_smtp._tls.good.test": {"TXT": "v=TLSRPTv1; rua=mailto:tls@good.test"},
    "default._bimi.good.test": {"TXT": "v=BIMI1; l=https://img.good.test/l.svg; a=https://img.good.test/l.pem"},
}
POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.good.test\r\nmax_age: 2419200\r\n"


@dataclass(frozen=True)
class Policy:
    """Stands for what fetches policies."""

    text: str = POLICY
    strange: tuple[str, ...] = ()
    error: FetchError | None = None

    def __call__(self, domain: str, seconds: float) -> Fetched:
        """The policy, or the failure."""
        del domain, seconds
        if self.error is not None:
            raise self.error
        return Fetched(self.text, self.strange)


@contextmanager
def examiner(server: DnsServer, policy: Policy | None = None, *, seconds: float = 20.0) -> Iterator[Examiner]:
    """What examines on that name server."""
    site = load_site(load_config(None, nameserver=f"127.0.0.1:{server.port}"))
    resolving = Resolving(site)
    try:
        fetch = policy or Policy()
        made = Examiner(
            resolving.servers,
            resolving.ask,
            seconds=seconds,
            question=(1.0, 0.5),
            fetch=fetch,  # type: ignore[arg-type]  # it stands for a PolicyFetcher
        )
        yield made
    finally:
        resolving.close()


def posture(zone: ZoneData, name: str, policy: Policy | None = None, *faults: tuple[str, str, str]) -> Posture:
    """A domain of that zone."""
    with DnsServer(zone) as server:
        for kind, owner, rtype in faults:
            server.fault(kind, owner, rtype)
        with examiner(server, policy) as made:
            return made.examine(name)


def part(found: Posture, name: str) -> Part:
    """One part."""
    return next(one for one in found.parts if one.name == name)


def texts(one: Part, level: Level) -> Sequence[str]:
    """The remarks of that level."""
    return [remark.text for remark in one.remarks if remark.level is level]


def test_a_domain_in_order() -> None:
    """Every part is ok, the unsigned zone is told of as absent, nothing differs and nothing is left open."""
    found = posture(GOOD, "good.test")
    assert {one.name: one.state.value for one in found.parts} == {
        "mx": "ok",
        "spf": "ok",
        "dmarc": "ok",
        "mta-sts": "ok",
        "tls-rpt": "ok",
        "bimi": "ok",
        "dnssec": "absent",
    }
    assert found.complete
    assert not found.reaches(Level.WARNING)
    assert [one.differs for one in found.parts if one.differs] == []
    assert part(found, "spf").facts["strangers"] == {"192.0.2.1": "fail", "2001:db8::1": "fail"}
    assert part(found, "dmarc").facts["policy_of_missing_names"] == "reject"
    assert part(found, "mta-sts").facts["mode"] == "enforce"
    assert part(found, "mx").facts["hosts"][0]["addresses"] == ["203.0.113.5"]


def test_only_the_name_server_given_is_asked_and_nothing_is_fetched_but_the_policy() -> None:
    """Neither logo nor certificate of BIMI, nor any host of MX: whoever is named there would see a connection."""
    zone = {**GOOD, "img.good.test": {"A": "127.0.0.1"}}
    with DnsServer(zone) as server, examiner(server) as made:
        found = made.examine("good.test")
        asked = {name for name, _, _ in server.asked}
    assert "img.good.test" not in asked
    assert part(found, "bimi").facts["logo"] == "https://img.good.test/l.svg"


def test_a_bare_domain() -> None:
    """Without SPF and DMARC anybody may write in its name: errors. The rest is said, and is none."""
    found = posture({"bare.test": {"A": "203.0.113.1"}}, "bare.test")
    errors = {one.name: texts(one, Level.ERROR) for one in found.parts if texts(one, Level.ERROR)}
    assert errors == {"spf": ["there is no SPF record"], "dmarc": ["there is no DMARC record that applies to it"]}
    assert part(found, "spf").state is State.ABSENT
    assert part(found, "mx").state is State.WARNING
    assert all(remark.remedy for one in found.parts for remark in one.remarks if remark.level is not Level.NOTE)


def test_who_lets_everybody_send() -> None:
    """A record can be without fault for checkdmarc and protect nothing: a stranger's result tells."""
    found = posture({"open.test": {"TXT": "v=spf1 +all"}}, "open.test")
    (error,) = texts(part(found, "spf"), Level.ERROR)
    assert error.endswith("mail from 192.0.2.1 and 2001:db8::1, addresses of nobody, passes by +all")
    assert part(found, "spf").state is State.ERROR


@pytest.mark.parametrize(
    ("record", "status"), [("v=spf1 ?all", "neutral"), ("v=spf1 a:h.half.test", "neutral"), ("v=spf1 ~all", "softfail")]
)
def test_half_a_record(record: str, status: str) -> None:
    """Neutral says nothing of strangers, which is a warning; a softfail is none."""
    found = part(posture({"half.test": {"TXT": record}, "h.half.test": {"A": "203.0.113.9"}}, "half.test"), "spf")
    assert found.facts["strangers"]["192.0.2.1"] == status
    assert found.state is (State.WARNING if status == "neutral" else State.OK)


def test_too_many_lookups() -> None:
    """The eleventh is an error for both, with what to do; they do not differ."""
    hosts = [f"h{number}.many.test" for number in range(12)]
    zone: ZoneData = {"many.test": {"TXT": f"v=spf1 {' '.join([f'a:{host}' for host in hosts])} -all"}}
    found = part(posture({**zone, **{host: {"A": "203.0.113.9"} for host in hosts}}, "many.test"), "spf")
    assert found.facts["dns_lookups"] == 12
    assert found.facts["strangers"]["192.0.2.1"] == "permerror"
    (remark,) = [one for one in found.remarks if one.level is Level.ERROR]
    assert "name networks" in remark.remedy
    assert found.differs == ()


def test_a_record_that_only_one_of_them_accepts() -> None:
    """A record of whose evaluation strangers see a permerror that checkdmarc does not look for is a difference."""
    found = part(posture({"macro.test": {"TXT": "v=spf1 include:%{i}.list.macro.test -all"}}, "macro.test"), "spf")
    assert len(found.differs) == 1
    assert found.differs[0].startswith("checkdmarc: valid; filterd gives permerror to a stranger")


def test_a_policy_that_cannot_be_read() -> None:
    """For checkdmarc p=bogus is an error; receivers degrade it (RFC 9989, section 4.10.1), and that is said beside."""
    zone: ZoneData = {"_dmarc.odd.test": {"TXT": ["v=DMARC1; p=bogus; rua=mailto:r@odd.test", "stray"]}}
    found = part(posture({**zone, "odd.test": {"A": "203.0.113.1"}}, "odd.test"), "dmarc")
    assert found.state is State.ERROR
    assert found.facts["policy"] == "none"
    assert found.differs == (
        "checkdmarc finds no valid record; filterd, as RFC 9989 asks of receivers, applies none from odd.test",
    )
    assert any("other TXT records" in text for text in texts(found, Level.WARNING))


def test_a_name_that_does_not_exist_inherits_its_policy() -> None:
    """Checkdmarc sees none there; np= of the organization holds, and that is what mail in that name meets."""
    zone: ZoneData = {"_dmarc.org.test": {"TXT": "v=DMARC1; p=none; np=reject; rua=mailto:r@org.test"}}
    found = part(posture({**zone, "org.test": {"MX": "0 ."}}, "gone.org.test"), "dmarc")
    assert (found.state, found.facts["policy"], found.facts["policy_domain"]) == (State.OK, "reject", "org.test")
    assert "applies reject from org.test" in found.differs[0]


def test_a_policy_in_testing() -> None:
    """t=y means one step less, which is what the facts say."""
    zone: ZoneData = {"_dmarc.t.test": {"TXT": "v=DMARC1; p=reject; t=y; rua=mailto:r@t.test"}}
    found = part(posture({**zone, "t.test": {"MX": "10 t.test", "A": "203.0.113.2"}}, "t.test"), "dmarc")
    assert (found.facts["policy"], found.facts["testing"]) == ("quarantine", True)
    assert found.differs == ()


def test_reports_to_others_need_their_word() -> None:
    """RFC 9990, section 4: without the record below _report._dmarc nobody sends them there."""
    zone: ZoneData = {
        "_dmarc.r.test": {"TXT": "v=DMARC1; p=reject; rua=mailto:a@other.test"},
        "other.test": {"MX": "10 mail.good.test"},
    }
    found = part(posture({**GOOD, **zone}, "r.test"), "dmarc")
    assert any("does not indicate that it accepts" in text for text in texts(found, Level.WARNING))
    zone = {**zone, "r.test._report._dmarc.other.test": {"TXT": "v=DMARC1"}}
    assert texts(part(posture({**GOOD, **zone}, "r.test"), "dmarc"), Level.WARNING) == []


@pytest.mark.parametrize(
    ("policy", "state", "said"),
    [
        (Policy(POLICY.replace("enforce", "testing")), State.OK, "mode: testing"),
        (Policy(POLICY.replace("enforce", "none")), State.WARNING, "takes the policy back"),
        (Policy(POLICY.replace("2419200", "3600")), State.WARNING, "max_age is 3600 seconds"),
        (Policy("<html>not found</html>"), State.ERROR, "Not a key: value pair"),
        (Policy(strange=("Content-Type is text/html, expected text/plain",)), State.WARNING, "text/html"),
        (Policy(error=FetchError("it answers 404", certain=True)), State.ERROR, "no policy: it answers 404"),
    ],
)
def test_policies_of_mta_sts(policy: Policy, state: State, said: str) -> None:
    """What is wrong with a policy, or how it came, is said."""
    found = part(posture(GOOD, "good.test", policy), "mta-sts")
    assert found.state is state
    assert any(said in remark.text for remark in found.remarks)


def test_a_policy_that_could_not_be_fetched_is_not_known() -> None:
    """A host that cannot be reached from here says nothing about what others reach."""
    found = posture(GOOD, "good.test", Policy(error=FetchError("no connection")))
    assert part(found, "mta-sts").unchecked != ()
    assert not found.complete


def test_a_host_that_the_policy_does_not_name() -> None:
    """With mode: enforce nothing is delivered there: an error of MX."""
    found = part(posture(GOOD, "good.test", Policy(POLICY.replace("mail.good", "other.good"))), "mx")
    assert texts(found, Level.ERROR) == ["mail.good.test is not included in the MTA-STS policy"]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ("v=BIMI1; l=http://img.test/l.svg", "l= is no https URI"),
        ("v=BIMI1; l=https://localhost/l.svg", "l= is no https URI"),
        ("v=BIMI1; l=https://img.test:99999/l.svg", "l= is no https URI"),
        ("v=BIMI1; a=https://img.test/l.pem", "missing the required l tag"),
        ("v=BIMI1; l=; l=", "Duplicate l"),
    ],
)
def test_bimi_records(record: str, said: str) -> None:
    """They are read without what they name being fetched."""
    found = part(posture({**GOOD, "default._bimi.good.test": {"TXT": record}}, "good.test"), "bimi")
    assert found.state is State.ERROR
    assert any(said in text for text in texts(found, Level.ERROR))


def test_a_logo_needs_dmarc() -> None:
    """Section 7.1 of the draft: p=none shows nothing."""
    zone = {**GOOD, "_dmarc.good.test": {"TXT": "v=DMARC1; p=none; rua=mailto:reports@good.test"}}
    assert any("is not shown" in text for text in texts(part(posture(zone, "good.test"), "bimi"), Level.WARNING))


@pytest.mark.threat("DNS-05")
@pytest.mark.parametrize("fault", ["servfail", "drop", "refused", "garbage"])
def test_a_lookup_that_fails_is_not_a_record_that_is_missing(fault: str) -> None:
    """Checkdmarc says "not found" of both; here the part is unknown, and names the lookup."""
    found = posture(GOOD, "good.test", None, (fault, "_smtp._tls.good.test", "TXT"))
    one = part(found, "tls-rpt")
    assert one.state is State.UNKNOWN
    assert one.unchecked[0].startswith("TXT _smtp._tls.good.test: ")
    assert not found.complete
    assert part(found, "spf").state is State.OK
    assert not found.reaches(Level.ERROR)


def test_a_courtesy_lookup_that_fails_changes_nothing() -> None:
    """Checkdmarc looks for records in wrong places; that these lookups fail says nothing about the right ones."""
    zone = {name: sets for name, sets in GOOD.items() if name != "_smtp._tls.good.test"}
    found = posture(zone, "good.test", None, ("servfail", "good.test", "TXT"))
    assert part(found, "tls-rpt").state is State.ABSENT
    assert part(found, "spf").state is State.UNKNOWN
    assert part(found, "dmarc").state is State.OK


@pytest.mark.threat("DNS-05")
def test_the_time_is_bounded() -> None:
    """Where nobody answers all parts are unknown before the time is over."""
    with DnsServer(GOOD) as server:
        server.fault("drop")
        with examiner(server, seconds=6.0) as made:
            began = time.monotonic()
            found = made.examine("good.test")
            took = time.monotonic() - began
    assert {one.state for one in found.parts} == {State.UNKNOWN}
    assert took < 6.0 + 1.0  # the last question may just have been asked


def test_a_domain_of_a_thousand_hosts_is_given_up() -> None:
    """What a part may ask is bounded; what was not asked is told as unchecked."""
    hosts = [f"10 h{number}.huge.test" for number in range(1_000)]
    found = part(posture({"huge.test": {"MX": hosts}}, "huge.test"), "mx")
    assert any("more than 150 questions" in text for text in found.unchecked)


@pytest.mark.parametrize(
    "record",
    [
        "\x00" * 300,
        "v=spf1 " + "(" * 3_000,
        "v=spf1 include:" + "a." * 200,
        "v=spf1 \xff\xfe -all",
        "v=spf1 redirect=h.test",
    ],
)
@pytest.mark.parametrize("name", ["h.test", "_dmarc.h.test", "_mta-sts.h.test", "_smtp._tls.h.test"])
def test_hostile_records_end_no_examination(record: str, name: str) -> None:
    """Whatever stands there, there are seven parts, and none of them crashed."""
    prefixes = {"_dmarc": "v=DMARC1; p=", "_mta-sts": "v=STSv1; id=", "_smtp": "v=TLSRPTv1; rua="}
    text = record.replace("v=spf1 ", prefixes.get(name.partition(".")[0], "v=spf1 "))
    found = posture({"h.test": {"MX": "10 h.test"}, name: {"TXT": text}}, "h.test")
    assert len(found.parts) == 7
    assert not [one for one in found.parts for text in one.unchecked if "mistake" in text]


class Signed:
    """A signed zone, `s.test`, with the keys of its own and the parent's word on them."""

    def __init__(self, server: DnsServer) -> None:
        """Publish key, DS and signatures."""
        key = ec.generate_private_key(ec.SECP256R1())
        public = dns.dnssec.make_dnskey(key.public_key(), "ECDSAP256SHA256", flags=257)
        apex = dns.name.from_text("s.test")
        keys = dns.rrset.from_rdata(apex, 300, public)
        now = time.time()
        signature = dns.dnssec.sign(keys, key, apex, public, inception=now - 3600, expiration=now + 3600)
        server.set("s.test", "DS", dns.dnssec.make_ds(apex, public, "SHA256").to_text())
        self._server = server
        self.publish(public.to_text(), signature.to_text())

    def publish(self, key: str, signature: str) -> None:
        """Answer for the key with its signature beside it."""
        zone = self._server.zone
        zone.set("s.test", "DNSKEY", key)
        zone.set("s.test", "RRSIG", signature)
        code = int(dns.rdatatype.DNSKEY)
        zone._sets["s.test", code] += zone._sets["s.test", int(dns.rdatatype.RRSIG)]


def test_a_signed_zone() -> None:
    """Keys and signatures are verified here; that the name server does not validate is a note."""
    with DnsServer({}) as server:
        Signed(server)
        with examiner(server) as made:
            found = part(made.examine("s.test"), "dnssec")
    assert (found.state, found.facts["signed"], found.facts["validated_by_name_server"]) == (State.OK, True, False)
    assert any("does not say that it validated" in text for text in texts(found, Level.NOTE))


def test_a_zone_whose_signatures_do_not_verify() -> None:
    """The parent's word makes it an error, not an unsigned zone; so does the SERVFAIL of a validating name server."""
    with DnsServer({}) as server:
        Signed(server)
        server.set("s.test", "DS", "12345 13 2 " + "ab" * 32)
        with examiner(server) as made:
            broken = part(made.examine("s.test"), "dnssec")
        server.fault("servfail", "s.test", "DNSKEY")
        with examiner(server) as made:
            refused = part(made.examine("s.test"), "dnssec")
    assert (broken.state, refused.state) == (State.ERROR, State.ERROR)


def test_a_zone_that_is_signed_for_nobody() -> None:
    """Keys without the parent's word are a warning."""
    with DnsServer({}) as server:
        Signed(server)
        server.set("s.test", "DS", [])
        with examiner(server) as made:
            found = part(made.examine("s.test"), "dnssec")
    assert found.state is State.WARNING


def test_what_a_validating_name_server_says_counts_beside() -> None:
    """Its word is believed from loopback; where checkdmarc comes to another, that is a difference."""
    with DnsServer({"v.test": {"SOA": "ns.test. h.test. 1 1 1 1 1"}}) as server:
        server.authenticated = True
        with examiner(server) as made:
            found = part(made.examine("v.test"), "dnssec")
    assert found.facts["validated_by_name_server"] is True
    assert len(found.differs) == 1


def test_every_domain_is_asked_anew() -> None:
    """Checkdmarc's caches know nothing of time to live: a record that was changed is seen."""
    with DnsServer(GOOD) as server, examiner(server) as made:
        before = part(made.examine("good.test"), "tls-rpt").record
        server.set("_smtp._tls.good.test", "TXT", "v=TLSRPTv1; rua=mailto:new@good.test")
        after = part(made.examine("good.test"), "tls-rpt").record
    assert (before, after) == ("v=TLSRPTv1; rua=mailto:tls@good.test", "v=TLSRPTv1; rua=mailto:new@good.test")
