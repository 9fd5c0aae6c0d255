"""Messages, keys and canonical forms that others made."""

import hashlib
from pathlib import Path

import pytest

from filterd.dkim import key_question, prepare, verify
from filterd.dkim.canonical import BodyForm, RelaxedBody, body_hashes, relaxed_field, simple_field
from filterd.dkim.key import parse_key
from filterd.dns.fake import FakeResolver
from filterd.model.authentication import DkimResult, DkimStatus
from tests.support.signing import SIGNED_AT, split

CASES = [*range(1, 15), *range(19, 26)]


class Collected:
    """What a hash would get."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.data = b""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more bytes."""
        self.data += data


def crlf(path: Path) -> bytes:
    """A file with CRLF line ends, whatever it has."""
    return path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("relaxed", [True, False], ids=["relaxed", "simple"])
def test_canonical_form(shared: Path, case: int, *, relaxed: bool) -> None:
    """Header and body come out byte for byte as expected."""
    data = shared / "data/dkim/canonicalization"
    expected = (data / f"{'relaxed' if relaxed else 'simple'}.expected.{case:02}").read_bytes()
    fields, body = split(crlf(data / f"email.{case:02}"))
    header = b"".join((relaxed_field if relaxed else simple_field)(*field) for field in fields) + b"\r\n"
    expected_header, expected_body = expected[: len(header)], expected[len(header) :]
    assert header == expected_header
    form = BodyForm(relaxed, None)
    hashed = body_hashes(body, [form])[form]
    assert (hashed.digest, hashed.size) == (hashlib.sha256(expected_body).digest(), len(expected_body))
    if relaxed:
        sink = Collected()
        canonical = RelaxedBody([sink])
        canonical.update(body)
        canonical.finish()
        assert sink.data == expected_body


def results(path: Path, records: dict[str, str]) -> list[DkimResult]:
    """The results of a message's signatures with these key records."""
    resolver = FakeResolver(txt={name: [record] for name, record in records.items()})
    found = []
    for facts in prepare(*split(crlf(path)), now=SIGNED_AT):
        question = key_question(facts.domain, facts.selector)
        assert question is not None
        found.append(verify(facts, resolver.lookup(question)))
    return found


def record(path: Path) -> str:
    """The key record in a file."""
    return path.read_text("ascii").strip()


def test_rfc8463_example(shared: Path) -> None:
    """The message of RFC 8463, appendix A, verifies with both its signatures."""
    data = shared / "data/dkim/dkimpy/data"
    records = {
        "brisbane._domainkey.football.example.com": (
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
        ),
        "test._domainkey.football.example.com": record(data / "test.txt"),
    }
    assert [(each.algorithm, each.status, each.key_bits) for each in results(data / "rfc6376.signed.msg", records)] == [
        ("ed25519-sha256", DkimStatus.PASS, 256),
        ("rsa-sha256", DkimStatus.PASS, 1024),
    ]


def test_ed25519_of_another_signer(shared: Path) -> None:
    """A message signed by Exim with Ed25519 verifies under its key, and under no other."""
    data = shared / "data/dkim/dkimpy/data"
    for file, expected in [("eximtest.dns", "pass"), ("ed25519test.dns", "fail")]:
        (result,) = results(data / "ed25519test2.msg", {"sed._domainkey.test.ex": record(data / file)})
        assert result.status == expected


@pytest.mark.parametrize("name", ["message.mbox", "test2.message"])
def test_body_hash_of_real_mail(shared: Path, name: str) -> None:
    """Signed mail of 2011 and 2013 still has the body that was signed; its keys are gone."""
    (result,) = results(shared / "data/dkim/dkimpy/data" / name, {})
    assert (result.status, result.reason) == (DkimStatus.PERMERROR, "no key")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("badk.txt", "unsupported key type"),
        ("badversion.txt", "not a DKIM key record"),
        ("test_bad.txt", "not an RSA key"),
        ("test_tlsrpt.txt", "key is not for email"),
        ("test.txt", ""),
        ("test2.txt", ""),
        ("ed25519test.dns", ""),
        ("eximtest.dns", ""),
    ],
)
def test_key_record(shared: Path, name: str, reason: str) -> None:
    """Good and bad key records are told apart, each for its own reason."""
    key = parse_key(record(shared / "data/dkim/dkimpy/data" / name))
    assert (key.reason, key.status) == (reason, DkimStatus.PERMERROR if reason else None)
