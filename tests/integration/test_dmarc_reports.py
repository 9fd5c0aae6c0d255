"""From a message at Postfix to a signed report at the domain that asked for it; and that no reply waits for it."""

import gzip
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import dkim
import pytest
from lxml import etree  # type: ignore[import-untyped]  # it ships no types, and is used in tests alone

from filterd.model.aggregate import DAY
from filterd.quarantine import Place
from filterd.quarantine.aggregate_places import FILE
from filterd.quarantine.aggregates import Aggregates, DayOf
from filterd.quarantine.opening import open_aside
from filterd.quarantine.tokens import FIELD
from tests.support.daemon import Settings
from tests.support.process import wait_until
from tests.support.signing import RSA_2048, key_record
from tests.support.stack import Stack
from tests.support.world import GOOD, STRANGER, message, signed, zone

pytestmark = pytest.mark.integration

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).parents[1] / "dmarc" / "data" / "rfc9990.xsd"))
RECORDS = {
    **zone(),
    "_dmarc.aligned.test": {"TXT": "v=DMARC1; p=quarantine; rua=mailto:reports@aligned.test"},
    "_dmarc.strict.test": {"TXT": "v=DMARC1; p=reject; rua=mailto:r@elsewhere.test"},
    "s1._domainkey.local.test": {"TXT": key_record()},
    "_dmarc.silent.test": {"TXT": "v=DMARC1; p=reject"},
}


@pytest.fixture
def stack() -> Iterator[Stack]:
    """A daemon that counts, and Postfix with a listener that does not filter."""
    settings: Settings = {
        "milter": {"authserv_id": "mx.local.test"},
        "dmarc_reports": {"enabled": True},
        "quarantine": {"release_by": "token"},
    }
    with Stack(settings, records=RECORDS, postfix={"relay_domains": "local.test aligned.test"}) as running:
        yield running


def counted(stack: Stack) -> dict[str, DayOf]:
    """What was counted, whatever day it is."""
    with closing(Aggregates(open_aside(Place(), stack.folder / "state"))) as aggregates:
        return {one.domain: one for day in aggregates.days() for one in aggregates.domains(day)}


def test_the_whole_way(stack: Stack) -> None:
    """Passing and forged mail is counted by kind, in a report that is valid, signed and sent to who takes it."""
    now = int(time.time())
    for _ in range(3):
        stack.send(signed(message("alice@aligned.test", "Minutes"), now=now), GOOD, "alice@aligned.test")
    assert stack.send(message("boss@aligned.test", "Urgent"), STRANGER, "x@other.test").code == 250
    assert stack.send(message("boss@strict.test", "Urgent"), STRANGER, "x@other.test").action == "quarantine"
    stack.send(message("boss@silent.test", "Urgent"), STRANGER, "x@other.test")
    report = "Report Domain: local.test Submitter: aligned.test Report-ID: <x>"
    stack.send(signed(message("alice@aligned.test", report), now=now), GOOD, "alice@aligned.test")
    wait_until(lambda: sum([one.messages for one in counted(stack).values()]) >= 5, "the messages to be counted")
    found = counted(stack)
    assert {domain: (one.kinds, one.messages) for domain, one in found.items()} == {
        "aligned.test": (2, 4),
        "strict.test": (1, 1),
    }
    done = _send(stack, _aged(stack, 2))
    assert sorted(line.partition(":")[0] for line in done.stdout.splitlines()) == [
        "aligned.test to reports@aligned.test sent",
        "strict.test to r@elsewhere.test no consent",
    ], done.stdout + done.stderr
    mail = stack.sink.with_header("Subject", "Report Domain: aligned.test")
    assert mail.recipients == ("reports@aligned.test",)
    parsed = message_from_bytes(mail.data, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    (part,) = parsed.iter_attachments()
    root = etree.fromstring(gzip.decompress(part.get_content()))
    SCHEMA.assertValid(root)
    rows = {one.findtext(".//{*}source_ip"): one for one in root.findall("{*}record")}
    good, forged = rows[GOOD.address], rows[STRANGER.address]
    assert [good.findtext(f".//{{*}}{name}") for name in ("count", "disposition", "envelope_to")] == [
        "3",
        "pass",
        "local.test",
    ]
    assert [one.text for one in good.findall(".//{*}policy_evaluated/{*}dkim")] == ["pass"]
    assert good.findtext(".//{*}auth_results/{*}dkim/{*}selector") == "s1"
    assert forged.findtext(".//{*}disposition") in {"none", "quarantine"}
    assert forged.findtext(".//{*}auth_results/{*}spf/{*}domain") == "other.test"


def _aged(stack: Stack, days: int) -> str:
    """Make today's counts those of that many days ago, for a report is of a day that is over; the day."""
    today = int(time.time()) // DAY
    with closing(sqlite3.connect(stack.folder / "state" / FILE)) as file, file:
        for table in ("dmarc_days", "dmarc_rows"):
            file.execute(f"UPDATE {table} SET day = {today - days} WHERE day >= {today - 1}")  # noqa: S608  # numbers
    return time.strftime("%Y-%m-%d", time.gmtime((today - days) * DAY))


def _send(stack: Stack, day: str, *, token: bool = False) -> subprocess.CompletedProcess[str]:
    """`filterd dmarc send`, to Postfix's listener that does not filter, or with a token to the one that does."""
    key, config = stack.folder / "dkim.pem", stack.folder / "send.toml"
    key.touch(0o600)
    key.write_bytes(RSA_2048)
    port, by = (stack.postfix.port, "token") if token else (stack.postfix.release_port, "listener")
    config.write_text(
        f'[paths]\nstate = "{stack.folder}/state"\n[dns]\nnameservers = ["127.0.0.1:{stack.dns.port}"]\n'
        f'[milter]\nauthserv_id = "mx.local.test"\n'
        f'[quarantine]\nrelease = "inet:{port}@127.0.0.1"\nrelease_by = "{by}"\n'
        f'[dmarc_reports]\nsender = "dmarc@local.test"\ndkim_selector = "s1"\ndkim_key_file = "{key}"\n'
    )
    argv = [sys.executable, "-m", "filterd", "dmarc", "send", "--day", day, "--config", str(config)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_with_a_token(stack: Stack) -> None:
    """Where released mail goes through the filter, so do reports: the token stays here, and the signature holds."""
    stack.send(signed(message("alice@aligned.test", "Minutes"), now=int(time.time())), GOOD, "alice@aligned.test")
    wait_until(lambda: "aligned.test" in counted(stack), "the message to be counted")
    before = len(stack.sink.messages)
    done = _send(stack, _aged(stack, 5), token=True)
    assert done.returncode == 0, done.stdout + done.stderr
    mail = next(one for one in stack.sink.wait(before + 1)[before:] if one.recipients == ("reports@aligned.test",))
    assert mail.values(FIELD) == []
    assert dkim.verify(mail.data, dnsfunc=lambda *_, **__: key_record().encode())


def test_no_reply_waits_for_it(stack: Stack) -> None:
    """While somebody holds the file's lock mail is answered as ever, and then counting goes on."""
    stack.send(message("boss@aligned.test", "Urgent"), STRANGER, "x@other.test")
    wait_until(lambda: "aligned.test" in counted(stack), "the file to be there")
    with closing(sqlite3.connect(stack.folder / "state" / FILE, isolation_level=None)) as file:
        file.execute("BEGIN IMMEDIATE")
        for _ in range(5):
            outcome = stack.send(message("boss@strict.test", "Urgent"), STRANGER, "x@other.test")
            assert (outcome.code, outcome.action) == (250, "quarantine")
        file.execute("ROLLBACK")
    stack.send(message("boss@strict.test", "Urgent"), STRANGER, "x@other.test")
    wait_until(lambda: "strict.test" in counted(stack), "counting to go on")
