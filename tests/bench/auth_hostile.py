"""Hostile inputs of the authentication checks, by the row of the threat table they belong to, for growth ratios.

Each is a function from a size to work on an input of that size. The sizes keep the doubled input below the limit at
which a parser gives up: beyond it nothing grows.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from filterd import arc
from filterd.authres import claims_us, read_results, render
from filterd.dkim import key_question, prepare
from filterd.dkim.key import _parse as parse_key
from filterd.dmarc import evaluate, walk_questions
from filterd.dmarc.record import parse as parse_dmarc
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.domains.names import _normal
from filterd.inspection.inspect import inspect
from filterd.mime.address import read_author
from filterd.model.authentication import DkimResult, DkimStatus, SpfResult, SpfScope, SpfStatus
from filterd.model.inspection import Author, InspectionJob, Mailbox
from filterd.pipeline.edits import forged
from filterd.spf.record import read as read_spf
from tests.arc.chains import MESSAGE as SEALABLE
from tests.arc.chains import craft as seal
from tests.spf.zones import check
from tests.support.signing import SIGNED_AT, craft, split

Build = Callable[[int], Callable[[], object]]

OURS: Final = "mx.filterd.test"
MESSAGE: Final = (
    b"From: Alice <alice@example.test>\r\nTo: bob@example.org\r\nSubject: one\r\nDate: today\r\n"
    b"Message-ID: <1@example.test>\r\n\r\nHello\r\n"
)
FIELDS: Final = tuple(split(craft(MESSAGE, {}))[0])
AUTHOR: Final = Author((Mailbox("alice", "example.test"),))
BASE64: Final = b"A" * 76 + b"\r\n"
POLICY: Final = FakeResolver(txt={"_dmarc.example.test": ["v=DMARC1; p=reject"]})


class Hostile(NamedTuple):
    """`id` is the row's; `size` what `build` gets, once as it is and once doubled."""

    id: str
    what: str
    size: int
    build: Build


def hostile() -> Iterator[Hostile]:
    """All of them, in the order of the table."""
    for rows in (_authors, _signatures, _bodies, _records, _policies, _chains, _written, _messages):
        for row in rows():
            yield Hostile(*row)


_Row = tuple[str, str, int, Build]


def _of_value(read: Callable[[bytes], object], pattern: bytes, head: bytes = b"") -> Build:
    def build(size: int) -> Callable[[], object]:
        value = head + pattern * (size // len(pattern))
        return lambda: read(value)

    return build


def _authors() -> Iterator[_Row]:
    def froms(size: int) -> Callable[[], object]:
        fields = [*FIELDS, *[(b"From", b" x%d@evil.test" % number) for number in range(size)]]
        values = tuple([value for name, value in fields if name == b"From"])
        return lambda: (read_author(values), prepare(fields, b"Hello\r\n", now=SIGNED_AT))

    yield "AUTH-01", "From fields", 400, froms
    for what, pattern in (
        ("mailboxes", b"a@b.test, "),
        ("groups", b"g:;"),
        ("routes", b"<@a,@b:c@d.test>"),
        ("encoded words", b"=?utf-8?q?a=40b?= "),
        ("escapes", b"\\,"),
    ):
        yield "AUTH-02", what, 8_000, _of_value(_author, pattern)
    for what, pattern in (
        ("address as display name", b"ceo@bank.test <x@evil.test>"),
        ("brackets", b"<"),
        ("quotes", b'"ceo@bank.test" '),
        ("comments", b"("),
    ):
        yield "AUTH-03", what, 8_000, _of_value(_author, pattern)
    for what, text in (
        ("U-label", "\u00fc"),
        ("mixed scripts", "a\u0430"),
        ("zero width", "a\u200b"),
        ("at signs", "a@"),
    ):
        yield "AUTH-04", f"{what} in domains", 500, _of_text(_normal.__wrapped__, text)


def _author(value: bytes) -> object:
    return read_author((value,))


def _of_text(read: Callable[[str], object], pattern: str, head: str = "", tail: str = "") -> Build:
    def build(size: int) -> Callable[[], object]:
        text = head + pattern * (size // len(pattern)) + tail
        return lambda: read(text)

    return build


def _signatures() -> Iterator[_Row]:
    def flood(size: int) -> Callable[[], object]:
        fields = [FIELDS[1], *[(b"DKIM-Signature", b" d=%d.test; s=s" % number) for number in range(size)]]
        return lambda: prepare(fields, b"Hello\r\n", now=SIGNED_AT)

    def names(size: int) -> Callable[[], object]:
        named = [b"x-%d" % number for number in range(size)]
        value = b" v=1; a=rsa-sha256; c=relaxed; d=example.test; s=s; b=AAAA; bh=%s; h=from:" % (b"A" * 43 + b"=")
        fields = [FIELDS[1], *[(name, b" x") for name in named], *[(b"DKIM-Signature", value + b":".join(named))] * 8]
        return lambda: prepare(fields, b"", now=SIGNED_AT)

    def value_of(tag: bytes, pattern: bytes) -> Build:
        def build(size: int) -> Callable[[], object]:
            value = b" v=1; a=rsa-sha256; d=example.test; s=s; " + tag + pattern * (size // len(pattern)) + b"!"
            return lambda: prepare([FIELDS[1], (b"DKIM-Signature", value)], b"", now=SIGNED_AT)

        return build

    yield "AUTH-06", "signature fields", 4_000, flood
    yield "AUTH-06", "names in h= of eight signatures", 200, names
    for tag, pattern in ((b"b=", b"A"), (b"b=", b" "), (b"h=", b" "), (b"h=", b"from:"), (b"x=", b"9"), (b"i=", b"a@")):
        yield "AUTH-06", f"{pattern!r} in {tag!r}", 7_000, value_of(tag, pattern)
    for text in ("A", " ", ";", "t=y:"):
        yield "AUTH-06", f"{text!r} in a key record", 3_500, _of_text(parse_key.__wrapped__, text, "v=DKIM1; p=")

    def subjects(size: int) -> Callable[[], object]:
        fields = [*FIELDS, *[(b"Subject", b" other"), (b"To", b" x")] * size]
        return lambda: prepare(fields, b"Hello\r\n", now=SIGNED_AT)

    yield "AUTH-08", "unsigned copies of signed fields", 400, subjects


def _bodies() -> Iterator[_Row]:
    def signed(tags: dict[str, str], valid: bool) -> Callable[[bytes], Build]:  # noqa: FBT001  # two rows of a table
        def of(pattern: bytes) -> Build:
            def build(size: int) -> Callable[[], object]:
                body = pattern * (size // len(pattern)) + b"x\r\n"
                fields, _ = split(
                    craft(MESSAGE.removesuffix(b"Hello\r\n") + body, tags) if valid else craft(MESSAGE, tags)
                )
                return lambda: prepare(fields, body, now=SIGNED_AT)

            return build

        return of

    yield "AUTH-05", "text behind l=", 1 << 20, signed({"l": "3"}, valid=False)(b"more\r\n")
    for form in ("relaxed/relaxed", "simple/simple"):
        for what, pattern in (("spaces", b" "), ("empty lines", b"\r\n"), ("blank lines", b" \r\n"), ("CRs", b"\r")):
            yield "AUTH-07", f"{what}, {form}, forged", 1 << 20, signed({"c": form}, valid=False)(pattern)
    yield "AUTH-07", "spaces, simple/simple, valid", 1 << 20, signed({"c": "simple/simple"}, valid=True)(b" ")
    yield "AUTH-07", "tabs and spaces, relaxed, forged", 1 << 20, signed({}, valid=False)(b"\t ")


def _records() -> Iterator[_Row]:
    for what, word in (
        ("networks", "ip4:10.1.2.0/24 "),
        ("modifiers", "x=%{d}%{ir} "),
        ("macros", "%{l1r.}"),
        ("blanks", " "),
        ("dots", "a."),
    ):
        yield (
            "AUTH-09",
            f"{what} in a record",
            4_000,
            _of_text(read_spf, word, "v=spf1 exists:", ".x.test -all"),
        )

    def chain(size: int) -> Callable[[], object]:
        networks = " ".join(f"ip4:10.{number % 250}.0.0/16" for number in range(size))
        txt = {f"d{number}.test": [f"v=spf1 {networks} include:d{number + 1}.test -all"] for number in range(11)}
        resolver = FakeResolver(txt=txt)
        return lambda: check(resolver)

    def addresses(size: int) -> Callable[[], object]:
        many = [f"10.{number >> 8}.{number & 255}.1" for number in range(size)]
        resolver = FakeResolver(txt={"d0.test": ["v=spf1 a:many.test -all"]}, a={"many.test": many})
        return lambda: check(resolver)

    def hosts(size: int) -> Callable[[], object]:
        names = [f"h{number}.test" for number in range(size)]
        txt = {"d0.test": ["v=spf1 mx ~all"]}
        resolver = FakeResolver(txt=txt, mx={"d0.test": names}, a={name: ["10.0.0.1"] for name in names})
        return lambda: check(resolver)

    def identity(size: int) -> Callable[[], object]:
        resolver = FakeResolver(txt={"d0.test": ["v=spf1 exists:%{l}.%{L-}.%{lr-}.%{s}.d0.test -all"]})
        return lambda: check(resolver, sender="a-" * (size // 2) + "@d0.test")

    yield "AUTH-10", "include chain of eleven", 200, chain
    yield "AUTH-10", "addresses of a name", 1_000, addresses
    yield "AUTH-10", "hosts of an mx", 5, hosts
    yield "AUTH-10", "sender in macros", 4_000, identity


def _policies() -> Iterator[_Row]:
    yield "AUTH-11", "labels of a domain", 60, _of_text(_walked, "a.", tail="test")
    for what, pattern in (
        ("tags", "x=y; "),
        ("one tag", "p=none; "),
        ("addresses", "rua=mailto:a@b.test,"),
        ("blanks", " "),
    ):
        yield "AUTH-11", f"{what} in a record", 3_000, _of_text(parse_dmarc.__wrapped__, pattern, "v=DMARC1; ")

    def results(status: DkimStatus, spf: SpfStatus) -> Build:
        def build(size: int) -> Callable[[], object]:
            found = [DkimResult(status, f"list{number}.test", "s") for number in range(size)]
            sender = [SpfResult(spf, "bounces.list.test", SpfScope.MAILFROM)]
            return lambda: complete(evaluate(AUTHOR, sender, found), POLICY.lookup)

        return build

    yield "AUTH-12", "signatures of mailing lists", 1_000, results(DkimStatus.PASS, SpfStatus.PASS)
    yield "AUTH-13", "checks that failed", 1_000, results(DkimStatus.TEMPERROR, SpfStatus.TEMPERROR)
    for piece in (b"; spf=pass smtp.mailfrom=a@b.test", b"(", b'"', b"; a=b", b" c.d=e"):
        yield "AUTH-14", f"{piece!r} in a field of others", 7_000, _of_value(read_results, piece, b"x.example; a=b")


def _walked(domain: str) -> object:
    return walk_questions(domain)


def _chains() -> Iterator[_Row]:
    def sets(size: int) -> Callable[[], object]:
        message = SEALABLE
        for _ in range(size):
            message = seal(message, results="spf=pass " + "(x) " * 400)
        fields, body = split(message)
        return lambda: arc.prepare(fields, body, now=SIGNED_AT)

    def flood(size: int) -> Callable[[], object]:
        fields = [(b"ARC-Seal", b" i=1; a=rsa-sha256; cv=none; b=AAAA")] * size
        return lambda: arc.prepare(fields, b"", now=SIGNED_AT)

    yield "AUTH-15", "sets", arc.MAX_SETS // 2, sets
    yield "AUTH-15", "fields of a flood", 4_000, flood


def _written() -> Iterator[_Row]:
    def fields_of(name: bytes, value: bytes) -> Build:
        def build(size: int) -> Callable[[], object]:
            fields = [(name, value), (b"Authentication-Results", b" other.test; none")] * size
            return lambda: forged(fields, OURS)

        return build

    yield (
        "AR-01",
        "forged fields among others",
        400,
        fields_of(b"Authentication-Results", b" mx.filterd.test; spf=pass"),
    )
    for pattern in (b"(", b"()", b'"', b"\\", b" ", b";", b"mx.filterd.test "):
        yield "AR-02", f"{pattern!r} before our name", 7_000, _of_value(_claims, pattern, b"x (")
    yield "AR-03", "fields of our own namespace", 400, fields_of(b"X-Filterd-Score", b" 0")
    yield "AR-04", "sender with brackets and quotes", 20_000, _of_text(_rendered_sender, "(\"'@", tail="@evil.test")
    yield "AR-05", "d= with brackets", 20_000, _of_text(_rendered_domain, "(.x")
    for text in ("a.", "a", ".", "_", "\0", "\u00fc."):
        yield "DNS-07", f"{text!r} in a name", 400, _of_text(_normal.__wrapped__, text, tail="test")
        yield "DNS-07", f"{text!r} in a selector", 400, _of_text(_key_name, text)


def _claims(value: bytes) -> object:
    return claims_us(value, OURS)


def _rendered_sender(text: str) -> object:
    return render(OURS, [SpfResult(SpfStatus.FAIL, text, SpfScope.MAILFROM, text)], sender=text, helo=text)


def _rendered_domain(text: str) -> object:
    return render(OURS, [DkimResult(DkimStatus.PERMERROR, text, text, text, text)], sender="", helo="")


def _key_name(text: str) -> object:
    _normal.cache_clear()
    return key_question("example.test", text)


def _messages() -> Iterator[_Row]:
    """DESIGN.md: twice the message, at most twice the time, for all that an inspector does but YARA."""

    def of(kind: bytes, line: bytes) -> Build:
        def build(size: int) -> Callable[[], object]:
            body = line * (size // len(line))
            fields = (*FIELDS, (b"Content-Type", kind), (b"Content-Transfer-Encoding", b" base64"))
            job = InspectionJob("x", fields[: 7 if line == BASE64 else 6], len(body), 60, SIGNED_AT)
            return lambda: inspect(job, memoryview(body), None)

        return build

    yield (
        "DESIGN",
        "whole message, text",
        1 << 18,
        of(b" text/plain", b"Some words that a person may have written.\r\n"),
    )
    yield (
        "DESIGN",
        "whole message, HTML",
        1 << 17,
        of(b" text/html", b"<p>Some <a href=http://x.test/>words</a></p>\r\n"),
    )
    yield "DESIGN", "whole message, attachment", 1 << 20, of(b" application/octet-stream", BASE64)
    yield "DESIGN", "whole message, spaces", 1 << 18, of(b" text/plain", b" ")
