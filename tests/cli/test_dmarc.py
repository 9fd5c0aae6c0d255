"""filterd dmarc: reports are valid, and sent once, signed, to who takes them; with a real name server and SMTP."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from lxml import etree  # type: ignore[import-untyped]  # it ships no types, and is used in tests alone
from typer.testing import CliRunner, Result

from filterd.cli import app
from filterd.model.aggregate import Evaluated, Sighting
from filterd.operations import dmarc_send
from filterd.quarantine import Lease, Place
from filterd.quarantine.aggregate_places import FILE
from filterd.quarantine.aggregates import Aggregates
from filterd.quarantine.opening import open_aside
from tests.support.dnsserver import DnsServer
from tests.support.signing import RSA_1024, RSA_2048, key_record
from tests.support.sink import Delivered, Sink

pytestmark = pytest.mark.integration

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "dmarc" / "data" / "rfc9990.xsd"))
DATE, DAY = "2026-11-02", 20_759
OWN = "v=DMARC1; p=reject; rua=mailto:reports@mail.a.test"
ELSEWHERE = "v=DMARC1; p=none; rua=mailto:r@taker.test"
ZONE = {
    "_dmarc.a.test": {"TXT": OWN},
    "b.test._report._dmarc.taker.test": {"TXT": "v=DMARC1"},
    "s1._domainkey.mx.test": {"TXT": key_record()},
}
ROW = Evaluated("192.0.2.7", "pass", dkim=True, spf=False, header_from="a.test", envelope_to="here.test")


class Site:
    """A state folder in which some mail was counted, a name server, and an MTA that keeps what it is given."""

    def __init__(self, folder: Path, dns: DnsServer, sink: Sink) -> None:
        """Nothing was counted yet."""
        self.folder, self.dns, self.sink = folder, dns, sink
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        self.key = folder / "dkim.pem"
        self.key.touch(0o600)
        self.key.write_bytes(RSA_2048)
        self.more = f'dkim_selector = "s1"\ndkim_key_file = "{self.key}"\nsender = "dmarc@mx.test"\n'

    @property
    def config(self) -> Path:
        """Its filterd.toml."""
        path = self.folder / "filterd.toml"
        path.write_text(
            f'[paths]\nstate = "{self.state}"\n[dns]\nnameservers = ["127.0.0.1:{self.dns.port}"]\ntimeout = 2\n'
            f'[milter]\nauthserv_id = "mx.test"\n[quarantine]\nrelease = "inet:{self.sink.port}@127.0.0.1"\n'
            f"[dmarc_reports]\nenabled = true\n{self.more}"
        )
        return path

    def opened(self) -> Aggregates:
        """What was counted."""
        return Aggregates(open_aside(Place(), self.state), interval=60)

    def count(self, domain: str = "a.test", record: str = OWN, *, kinds: int = 1, day: int = DAY) -> None:
        """Some messages more."""
        with closing(self.opened()) as aggregates:
            for number in range(kinds):
                row = replace(ROW, source=f"192.0.2.{number}", header_from=domain)
                aggregates.record(Sighting(day, domain, record, row))

    def run(self, *arguments: str) -> Result:
        """`filterd dmarc` ..."""
        return CliRunner().invoke(app, ["dmarc", *arguments, "--config", str(self.config)])

    def send(self, *more: str) -> tuple[int, list[tuple[str, str, str]]]:
        """Send that day's: the exit, and domain, address and state of each report."""
        done = self.run("send", "--day", DATE, "--json", *more)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return done.exit_code, [(line["domain"], line["address"], line["state"]) for line in lines]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """With nothing counted."""
    with DnsServer(ZONE) as dns, Sink() as sink:
        yield Site(tmp_path, dns, sink)


def parsed(mail: Delivered) -> EmailMessage:
    """As a mail programme reads it."""
    made = message_from_bytes(mail.data, policy=policy.default)
    assert isinstance(made, EmailMessage)
    return made


def xml_of(packed: bytes) -> etree._Element:
    """The report in a file; it must be valid."""
    root = etree.fromstring(gzip.decompress(packed))
    SCHEMA.assertValid(root)
    return root


# --- report


def test_a_report(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lies under the name that RFC 9990 gives it, valid, for its owner alone; made again it is the same."""
    site.count(kinds=3)
    monkeypatch.chdir(site.folder)
    done = site.run("report", "--domain", "A.test.", "--day", DATE, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["domain"], told["day"], told["rows"], told["messages"]) == ("a.test", DATE, 3, 3)
    begin = DAY * 86_400
    assert told["file"].startswith(f"mx.test!a.test!{begin}!{begin + 86_399}!")
    assert told["file"].endswith(".xml.gz")
    file = site.folder / told["file"]
    assert file.stat().st_mode & 0o077 == 0
    assert len(xml_of(file.read_bytes()).findall(".//{*}record")) == 3
    again = site.run("report", "--domain", "a.test", "--day", DATE, "--output", "-")
    assert again.stdout_bytes == file.read_bytes()
    assert site.sink.messages == []


def test_nothing_was_counted(site: Site) -> None:
    """Words and 1, and why it may be; looking makes nothing."""
    done = site.run("report", "--domain", "a.test", "--day", DATE)
    assert done.exit_code == 1
    assert f"a.test: nothing was counted on {DATE}" in done.stderr
    assert list(site.state.iterdir()) == []


@pytest.mark.parametrize("day", ["24.11.2026", "tomorrow", "2026-13-01", ""])
def test_what_is_no_day(site: Site, day: str) -> None:
    """Wrong usage."""
    assert site.run("report", "--domain", "a.test", "--day", day).exit_code == 2
    assert site.run("send", "--day", day).exit_code == 2


def test_nobody_who_reports(site: Site) -> None:
    """A report names somebody: which key says whom is told."""
    site.count()
    site.more = ""
    done = site.run("report", "--domain", "a.test", "--day", DATE)
    assert (done.exit_code, "[dmarc_reports] sender" in done.stderr) == (1, True)


# --- send


def test_sent_once(site: Site) -> None:
    """As a mail that says whose it is, signed, with the report in it; run again there is nothing more to do."""
    site.count(kinds=2)
    assert site.send() == (0, [("a.test", "reports@mail.a.test", "sent")])
    (mail,) = site.sink.messages
    assert (mail.sender, mail.recipients) == ("", ("reports@mail.a.test",))
    message = parsed(mail)
    assert message["From"] == "dmarc@mx.test"
    assert message["Auto-Submitted"] == "auto-generated"
    (part,) = message.iter_attachments()
    assert part.get_content_type() == "application/gzip"
    root = xml_of(part.get_content())
    identifier = root.findtext(".//{*}report_id")
    assert message["Subject"] == f"Report Domain: a.test Submitter: mx.test Report-ID: <{identifier}>"
    assert f"!{identifier}.xml.gz" in str(part.get_filename())
    assert b"filename*" not in mail.data  # one parameter, which every reader of reports understands
    assert site.send() == (0, [("a.test", "reports@mail.a.test", "sent before")])
    assert len(site.sink.messages) == 1


def test_the_signature_holds(site: Site) -> None:
    """Whoever receives it finds that it passes, aligned with From; what counts is covered."""
    site.count()
    site.send()
    (mail,) = site.sink.messages
    checker = dkim.DKIM(mail.data)
    names: list[bytes] = []

    def key(name: bytes, **_: object) -> bytes:
        names.append(name)
        return key_record().encode()

    assert checker.verify(dnsfunc=key)
    assert names == [b"s1._domainkey.mx.test."]
    signed = {name.lower() for name, _ in checker.signed_headers}
    assert {b"from", b"to", b"subject", b"date", b"message-id", b"mime-version", b"content-type"} <= signed


def test_only_to_who_takes_it(site: Site) -> None:
    """Another organization must say so (RFC 9990, section 4); that it does not is no failure."""
    site.count("b.test", ELSEWHERE)
    site.count("c.test", "v=DMARC1; p=none; rua=mailto:r@taker.test,mailto:own@c.test")
    code, told = site.send()
    assert code == 0
    assert sorted(told) == [
        ("b.test", "r@taker.test", "sent"),
        ("c.test", "own@c.test", "sent"),
        ("c.test", "r@taker.test", "no consent"),
    ]
    assert sorted(mail.recipients for mail in site.sink.messages) == [("own@c.test",), ("r@taker.test",)]


def test_the_taker_names_another_address(site: Site) -> None:
    """It goes there, once."""
    site.dns.set("b.test._report._dmarc.taker.test", "TXT", "v=DMARC1; rua=mailto:inbox@taker.test")
    site.count("b.test", ELSEWHERE)
    assert site.send() == (0, [("b.test", "inbox@taker.test", "sent")])
    assert site.send() == (0, [("b.test", "r@taker.test", "sent before")])
    assert [mail.recipients for mail in site.sink.messages] == [("inbox@taker.test",)]


def test_a_lookup_that_fails(site: Site) -> None:
    """It is put off and told by the exit; when DNS answers again it is sent."""
    site.count("b.test", ELSEWHERE)
    site.dns.fault("servfail", "b.test._report._dmarc.taker.test")
    assert site.send() == (1, [("b.test", "r@taker.test", "put off")])
    site.dns.heal()
    assert site.send() == (0, [("b.test", "r@taker.test", "sent")])


def test_an_mta_that_puts_it_off(site: Site) -> None:
    """The next run sends it, under the same ids."""
    site.count()
    site.sink.answers["."] = "451 4.3.0 later"
    assert site.send() == (1, [("a.test", "reports@mail.a.test", "put off")])
    site.sink.answers.clear()
    assert site.send() == (0, [("a.test", "reports@mail.a.test", "sent")])
    first, second = [parsed(mail) for mail in site.sink.messages]
    assert (first["Message-ID"], first["Subject"]) == (second["Message-ID"], second["Subject"])


def test_an_mta_that_refuses(site: Site) -> None:
    """It has failed for good, and is not sent again: the next day has a report of its own."""
    site.count()
    site.sink.answers["RCPT"] = "550 5.1.1 nobody"
    assert site.send() == (1, [("a.test", "reports@mail.a.test", "failed")])
    site.sink.answers.clear()
    assert site.send() == (1, [("a.test", "reports@mail.a.test", "failed")])
    assert site.sink.messages == []


def test_an_mta_that_is_down(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some that were put off the rest is not tried: each may wait for a minute. The next run sends all."""
    monkeypatch.setattr(dmarc_send, "MAX_IN_A_ROW", 3)
    for number in range(6):
        site.count(f"d{number}.a.test")
    site.sink.answers["MAIL"] = "451 4.3.0 later"
    done = site.run("send", "--day", DATE)
    lines = done.stdout.splitlines()
    assert (done.exit_code, len(lines)) == (1, 6)
    assert [("not tried: 3 before it" in line) for line in lines] == [False] * 3 + [True] * 3
    site.sink.answers.clear()
    assert site.send()[0] == 0
    assert len(site.sink.messages) == 6


def test_who_died_in_the_middle(site: Site) -> None:
    """Nobody sends it before his lease is over."""
    site.count()
    with closing(site.opened()) as aggregates:
        (about,) = aggregates.domains(DAY)
        assert aggregates.take(about, "reports@mail.a.test", Lease("gone", 4e9), 0.0) is None
    assert site.send() == (1, [("a.test", "reports@mail.a.test", "put off")])
    assert site.sink.messages == []


def test_two_at_once(site: Site) -> None:
    """Two timers that go off together send it once."""
    for number in range(5):
        site.count(f"d{number}.a.test", OWN)
    argv = [sys.executable, "-m", "filterd", "dmarc", "send", "--day", DATE, "--config", str(site.config)]
    both = [subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    for one in both:
        one.communicate(timeout=60)
    assert len(site.sink.messages) == 5
    assert len({parsed(mail)["Subject"] for mail in site.sink.messages}) == 5


def test_too_large(site: Site) -> None:
    """A domain says how much it takes, and so does the configuration."""
    site.count("b.test", "v=DMARC1; p=none; rua=mailto:r@b.test!1k", kinds=200)
    assert site.send() == (1, [("b.test", "r@b.test", "too large")])
    assert site.sink.messages == []


def test_so_many_a_day(site: Site) -> None:
    """Those on domains with most mail."""
    for number in range(1, 4):
        site.count(f"d{number}.test", f"v=DMARC1; p=none; rua=mailto:r@d{number}.test", kinds=number)
    site.more += "most = 2\n"
    assert [domain for domain, _, _ in site.send()[1]] == ["d3.test", "d2.test"]


def test_one_domain_alone(site: Site) -> None:
    """Where that is asked for."""
    site.count()
    site.count("b.test", ELSEWHERE)
    assert site.send("--domain", "b.test") == (0, [("b.test", "r@taker.test", "sent")])


def test_a_dry_run(site: Site) -> None:
    """It says what would be sent and where to; nothing is sent, and nothing is remembered."""
    site.count()
    assert site.send("--dry-run") == (0, [("a.test", "reports@mail.a.test", "ready")])
    assert site.sink.messages == []
    assert site.send() == (0, [("a.test", "reports@mail.a.test", "sent")])


def test_a_day_that_is_not_over(site: Site) -> None:
    """More may come of it: words and 1."""
    done = site.run("send", "--day", "2999-01-01")
    assert (done.exit_code, "is not over yet" in done.stderr) == (1, True)


def test_nothing_to_send(site: Site) -> None:
    """That is no failure; a state without rows stays one."""
    done = site.run("send")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "there is nothing to be sent" in done.stderr
    assert not (site.state / FILE).exists()


def _ed25519() -> bytes:
    pkcs8, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(serialization.Encoding.PEM, pkcs8, none)


@pytest.mark.threat("OPS-05")
@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (RSA_2048, 0o604, "other users may read or write it"),
        (RSA_2048, 0o602, "other users may read or write it"),
        (b"no key at all", 0o600, "expected a private key in PEM"),
        (_ed25519(), 0o600, "expected an RSA key"),
    ],
)
def test_keys_that_are_refused(site: Site, content: bytes, mode: int, words: str) -> None:
    """By name and with what is wrong, never with what is in it; nothing is sent."""
    site.count()
    site.key.write_bytes(content)
    site.key.chmod(mode)
    done = site.run("send", "--day", DATE)
    assert done.exit_code == 1
    assert words in done.stderr
    assert str(site.key) in done.stderr
    assert "PRIVATE" not in done.stderr + done.stdout
    assert site.sink.messages == []


def test_a_key_in_the_form_of_today(site: Site) -> None:
    """PKCS #8, as openssl writes it now."""
    loaded = serialization.load_pem_private_key(RSA_2048, None)
    pkcs8, none = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    site.key.write_bytes(loaded.private_bytes(serialization.Encoding.PEM, pkcs8, none))
    site.count()
    assert site.send()[0] == 0


@pytest.mark.parametrize("record", ["", "v=DKIM1; k=rsa; p=", key_record(RSA_1024), "unrelated"])
def test_a_key_that_nobody_could_verify(site: Site, record: str) -> None:
    """Where DNS has certainly another key, or none, nothing is sent; what to publish is told."""
    site.count()
    site.dns.set("s1._domainkey.mx.test", "TXT", [record] if record else [])
    done = site.run("send", "--day", DATE)
    assert done.exit_code == 1
    assert "s1._domainkey.mx.test has another key, or none" in done.stderr
    assert key_record() in done.stderr
    assert site.sink.messages == []
    site.dns.set("s1._domainkey.mx.test", "TXT", [key_record(RSA_1024), key_record()])
    assert site.send()[0] == 0


def test_a_key_that_cannot_be_looked_up(site: Site) -> None:
    """Nobody knows: the report is worth the try."""
    site.count()
    site.dns.fault("servfail", "s1._domainkey.mx.test")
    assert site.send()[0] == 0


def test_a_credential(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key may be one of systemd's, as the unit in deploy/systemd has it."""
    folder = site.folder / "credentials"
    folder.mkdir(mode=0o700)
    site.key.rename(folder / "dmarc-reports")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    site.more = site.more.replace(str(site.key), "credential:dmarc-reports")
    site.count()
    assert site.send() == (0, [("a.test", "reports@mail.a.test", "sent")])


def test_no_key(site: Site) -> None:
    """Reports must pass DMARC: without a key nothing is sent."""
    site.count()
    site.more = 'sender = "dmarc@mx.test"\n'
    done = site.run("send", "--day", DATE)
    assert (done.exit_code, "dkim_key_file" in done.stderr) == (1, True)


def test_lines_for_people(site: Site) -> None:
    """One for each address."""
    site.count()
    (line,) = site.run("send", "--day", DATE).stdout.splitlines()
    assert line == "a.test to reports@mail.a.test sent: 250 kept (1 messages)"
