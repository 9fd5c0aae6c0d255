"""What the operator says of results and senders, from filterd.toml to what the client is told and what arrives."""

from collections.abc import Iterator

import pytest

from tests.support.daemon import Settings
from tests.support.signing import key_record, sign
from tests.support.smtp import Pose
from tests.support.stack import Stack
from tests.support.world import GOOD, SELECTOR, STRANGER, eicar_zip, message, with_attachment, zone

LIST = Pose("198.51.100.25", "mx.lists.test", "mx.lists.test")
FORWARDER = Pose("198.51.100.26", "mx.alumni.test", "mx.alumni.test")
LIST_ID = "List-Id: Talkers <talk.lists.test>\r\n"
SPOOF = message("ceo@strict.test", "As discussed", extra=LIST_ID)
BOUNCES = "talk-bounces@lists.test"

RECORDS = {
    **zone(),
    f"{SELECTOR}._domainkey.lists.test": {"TXT": key_record()},
    "lists.test": {"TXT": "v=spf1 ip4:198.51.100.25 -all", "A": "198.51.100.25", "MX": ["10 mx.lists.test"]},
    "mx.lists.test": {"A": "198.51.100.25"},
    "alumni.test": {"TXT": "v=spf1 ip4:198.51.100.26 -all", "A": "198.51.100.26"},
    "other.test": {"TXT": "v=spf1 ip4:198.51.100.77 -all", "A": "198.51.100.77"},
    f"{SELECTOR}._domainkey.other.test": {"TXT": key_record()},
    "shared.test": {"TXT": "v=spf1 ip4:198.51.100.77 -all", "A": "198.51.100.77"},
    "_dmarc.shared.test": {"TXT": "v=DMARC1; p=reject"},
}
SETTINGS: Settings = {
    "actions": {
        "on_result": {
            "spf": {"fail": {"stranger": "reject"}, "softfail": "add_header"},
            "dkim": {"permerror": "quarantine"},
        },
    },
    "dmarc": {"mailing_lists": ["lists.test"], "forwarders": ["spf:alumni.test"], "spf_upgrade": True},
    "trust": {"allow": ["dkim:other.test"]},
}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A site with opinions."""
    with Stack(SETTINGS, records=RECORDS) as running:
        yield running


@pytest.mark.threat("AUTH-12")
def test_a_named_list_delivers_what_it_has_changed(stack: Stack) -> None:
    """The author's domain wants failures refused; the list signs, is named, and its mail arrives with the reason."""
    outcome = stack.send(sign(SPOOF, "lists.test", SELECTOR), LIST, BOUNCES)
    assert (outcome.code, outcome.action) == (250, "accept")
    results = stack.arrived(outcome).value("Authentication-Results")
    assert b"dmarc=fail" in results
    assert b"mailing_list: talk.lists.test by lists.test" in results


@pytest.mark.threat("AUTH-12")
def test_a_stranger_with_its_list_id_does_not(stack: Stack) -> None:
    """The same field without the list's proof: held, as the domain's policy and the default have it; never refused."""
    outcome = stack.send(sign(SPOOF, "other.test", SELECTOR), STRANGER, "x@other.test")
    assert (outcome.code, outcome.action, outcome.event["code"]) == (250, "quarantine", "dmarc-reject")


def test_a_named_forwarder_is_believed(stack: Stack) -> None:
    """It rewrites the envelope sender to its own domain, for which SPF passes."""
    outcome = stack.send(message("ceo@strict.test", "Forwarded"), FORWARDER, "srs@alumni.test")
    assert (outcome.action, "DMARC_TRUSTED_FORWARDER" in outcome.symbols) == ("accept", True)


@pytest.mark.parametrize("sender", ["alice@aligned.test", "x@hard.test"])
def test_a_result_is_answered_as_the_operator_wants(stack: Stack, sender: str) -> None:
    """SPF's fail is refused with its own code (RFC 7372), for strangers."""
    outcome = stack.send(message(sender, "Hello"), STRANGER, sender)
    assert (outcome.code, outcome.event["code"]) == (550, "spf-fail")
    assert outcome.sent.last.text.startswith("5.7.23 ")


def test_a_pass_that_failed_before_does_not_count(stack: Stack) -> None:
    """The shared service let a stranger in under the domain's name, and wrote down that SPF failed there."""
    failed = "Authentication-Results: in.shared.test; spf=fail smtp.mailfrom=boss@shared.test\r\n"
    mail = message("boss@shared.test", "Urgent", extra=failed)
    fresh = stack.send(message("boss@shared.test", "Urgent"), STRANGER, "boss@shared.test")
    outcome = stack.send(mail, STRANGER, "boss@shared.test")
    assert (fresh.action, outcome.action) == ("accept", "quarantine")
    assert "DMARC_SPF_UPGRADED" in outcome.symbols


def test_an_allowed_sender_is_allowed_by_its_signature(stack: Stack) -> None:
    """Its points are taken off where it is proved, and not where its name is only used."""
    proved = stack.send(sign(message("news@other.test", "News"), "other.test", SELECTOR), STRANGER, "news@other.test")
    claimed = stack.send(message("news@other.test", "News"), STRANGER, "news@other.test")
    assert [("ALLOWED_SENDER" in one.symbols) for one in (proved, claimed)] == [True, False]


def test_malware_of_an_allowed_sender_is_malware(stack: Stack) -> None:
    """What a rule asks for at least, no list takes back."""
    mail = sign(with_attachment("news@other.test", "Invoice", "i.zip", eicar_zip()), "other.test", SELECTOR)
    outcome = stack.send(mail, STRANGER, "news@other.test")
    assert "ALLOWED_SENDER" in outcome.symbols
    assert outcome.code == 550


def test_ordinary_mail_is_not_touched_by_any_of_it(stack: Stack) -> None:
    """Who has everything in order notices nothing."""
    outcome = stack.send(message("alice@aligned.test", "Minutes"), GOOD)
    assert (outcome.code, outcome.action) == (250, "accept")
