"""Every subject of block lists, over the wire: a scan with lists of its own, each of which lists something."""

import hashlib
import json
import shutil
from base64 import b32encode
from pathlib import Path

import pytest
from typer.testing import CliRunner

from filterd.cli import app
from tests.support.dnsserver import DnsServer
from tests.support.world import signed, with_attachment, zone

pytestmark = pytest.mark.integration

RULES = Path(__file__).resolve().parents[2] / "rules"
PROGRAM = b"MZ" + bytes(200)
LISTS = """
[lists.addresses]
zone = "ip.list.test"
subjects = ["client", "received", "url_address"]
[lists.addresses.codes]
DNSBL_SPAMHAUS_SBL = ["127.0.0.2"]
[lists.addresses.codes_about.received]
RECEIVED_SPAMHAUS_SBL = ["127.0.0.2"]
[lists.addresses.codes_about.url_address]
URIBL_SPAMHAUS_SBL = ["127.0.0.2"]
[lists.names]
zone = "name.list.test"
subjects = ["helo", "sender_domain", "url_host"]
[lists.names.codes]
URIBL_ZRD_FRESH = ["127.0.2.5"]
[lists.signers]
zone = "signer.list.test"
subjects = ["dkim_domain"]
[lists.signers.codes]
DWL_LOW = ["127.0.2.1"]
[lists.mailboxes]
zone = "hash.list.test"
subjects = ["address_hash"]
query = "{lower|untag|gmail|sha1}._email.{zone}"
[lists.mailboxes.codes]
HASHBL_MSBL = ["127.0.0.2"]
[lists.files]
zone = "hash.list.test"
subjects = ["attachment_hash"]
query = "{sha256|base32}._file.{zone}"
[lists.files.codes]
HASHBL_SPAMHAUS_FILE_MALICIOUS = ["127.0.3.10"]
"""
EXPECTED = {
    "DNSBL_SPAMHAUS_SBL": "client 192.0.2.10",
    "RECEIVED_SPAMHAUS_SBL": "received 203.0.113.5",
    "URIBL_SPAMHAUS_SBL": "url_address 198.51.100.9",
    "URIBL_ZRD_FRESH": "url_host www.fresh.test",
    "DWL_LOW": "dkim_domain aligned.test",
    "HASHBL_MSBL": "address_hash D.Rop+x@googlemail.com",
    "HASHBL_SPAMHAUS_FILE_MALICIOUS": f"attachment_hash {hashlib.sha256(PROGRAM).hexdigest()}",
}


def records() -> dict[str, dict[str, str]]:
    """What the lists have."""
    mailbox = hashlib.sha1(b"drop@gmail.com", usedforsecurity=False).hexdigest()
    file = b32encode(hashlib.sha256(PROGRAM).digest()).decode().rstrip("=").lower()
    return {
        "10.2.0.192.ip.list.test": {"A": "127.0.0.2"},
        "5.113.0.203.ip.list.test": {"A": "127.0.0.2"},
        "9.100.51.198.ip.list.test": {"A": "127.0.0.2"},
        "fresh.test.name.list.test": {"A": "127.0.2.5"},
        "aligned.test.signer.list.test": {"A": "127.0.2.1"},
        f"{mailbox}._email.hash.list.test": {"A": "127.0.0.2"},
        f"{file}._file.hash.list.test": {"A": "127.0.3.10"},
    }


def test_every_subject_is_asked_about(tmp_path: Path) -> None:
    """From the bytes of a message to the symbol, through the inspector and a real name server."""
    rules = tmp_path / "rules"
    shutil.copytree(RULES, rules)
    (rules / "dnsbl.toml").write_text(LISTS)
    config = tmp_path / "filterd.toml"
    config.write_text(f"[rules]\npath = '{rules}'\n[paths]\nstate = '{tmp_path}'\n")
    mail = with_attachment("alice@aligned.test", "Offer", "tool.exe", PROGRAM).replace(
        b"As agreed",
        b"See http://www.fresh.test/ and http://198.51.100.9/x, write to D.Rop+x@googlemail.com. As agreed",
    )
    mail = b"Received: from pc (pc.test [203.0.113.5])\r\n\tby out.test; Mon, 23 Nov 2026 10:00:00 +0000\r\n" + mail
    message = tmp_path / "mail.eml"
    message.write_bytes(signed(mail, now=1_795_000_000))
    session = ("--client-ip", "192.0.2.10", "--helo", "mail.aligned.test", "--mail-from", "alice@aligned.test")
    with DnsServer({**zone(), **records()}) as server:
        arguments = ["--config", str(config), "--nameserver", f"127.0.0.1:{server.port}", "--json", *session]
        done = CliRunner().invoke(app, ["scan", *arguments, str(message)])
    assert done.exit_code == 0, done.stderr
    found = {one["name"]: one["evidence"][0] for one in json.loads(done.stdout)["symbols"] if one["evidence"]}
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED
