"""DKIM beside dkimpy: one signature over small and large bodies, memory, and the body hashes of public mail."""

import base64
import hashlib
import random
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import dkim
from dkim.canonicalization import CanonicalizationPolicy
from dkim.util import parse_tag_value

from filterd.dkim import HashedBody, key_question, prepare, verify
from filterd.dkim import key as keys
from filterd.dkim.canonical import BodyForm
from filterd.dkim.signature import read_forms
from filterd.mime.header import split
from filterd.model.authentication import DkimStatus
from filterd.model.dns import Answer, AnswerStatus
from tests.bench.auth_figures import TURNS, Bench, best
from tests.support.signing import RSA_2048, SIGNED_AT, key_record, sign

SMALL: Final = 5 << 10  # bytes of a body
LARGE: Final = 10 << 20
MOST_MEMORY: Final = 30.0  # MB
KEY: Final = key_record(RSA_2048)
HEADER: Final = (
    b"Received: from mx.example.test (mx.example.test [192.0.2.1]) by mx.filterd.test with ESMTPS id 4F;\r\n"
    b"\tThu, 01 Jan 2026 12:00:00 +0000\r\nFrom: Alice <alice@example.test>\r\nTo: bob@example.org\r\n"
    b"Subject: The minutes\r\nDate: Thu, 01 Jan 2026 11:59:00 +0000\r\nMessage-ID: <1@example.test>\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\nList-Unsubscribe: <https://example.test/u>\r\n\r\n"
)


def text(size: int) -> bytes:
    """Lines as people write them, some with blanks that the relaxed form changes."""
    rng = random.Random(size)
    words = [b"the", b"minutes", b"of  our", b"meeting", b"are", b"attached,", b"please ", b"read", b"them\t", b"twice"]
    lines = [b" ".join(rng.choices(words, k=rng.randint(3, 12))) + b"\r\n" for _ in range(2_000)]
    return (b"".join(lines) * (size // 60_000 + 1))[: size - 2] + b"\r\n"


def encoded(size: int) -> bytes:
    """An attachment."""
    data = random.Random(size).randbytes(size // 78 * 57)
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def signed(body: bytes, form: str) -> bytes:
    """A message with one rsa-2048 signature by dkimpy."""
    return sign(HEADER + body, "example.test", "sel", RSA_2048, canonicalization=form)


def by_filterd(message: bytes) -> bool:
    """Verify it as inspector and front do together, the key read anew."""
    keys._parse.cache_clear()
    fields, start = split(message)
    (facts,) = prepare(fields, memoryview(message)[start:], now=SIGNED_AT)
    question = key_question(facts.domain, facts.selector)
    if question is None:
        return False
    return verify(facts, Answer(question, AnswerStatus.NOERROR, (KEY,))).status is DkimStatus.PASS


def by_dkimpy(message: bytes) -> bool:
    """Verify it."""
    return bool(dkim.verify(message, dnsfunc=lambda *_, **__: KEY.encode()))


def signatures(bench: Bench) -> None:
    """rsa-2048, small and large, in both forms."""
    for size, body, what, bar in (
        ("5 KB", text(SMALL), "text", 0.25),
        ("10 MB", text(LARGE), "text", 0.2),
        ("10 MB", encoded(LARGE), "base64", 0.2),
    ):
        for form in ("relaxed/relaxed", "simple/simple"):
            message = signed(body, form)
            if not (by_filterd(message) and by_dkimpy(message)):
                raise RuntimeError("the signature does not verify")
            works = [partial(by_filterd, message), partial(by_dkimpy, message)]
            ours, theirs = best(works, TURNS if len(message) < LARGE else 3)
            bench.share(f"DKIM rsa-2048, {size}, {what}, {form.partition('/')[0]}", ours, theirs, bar)


def memory(bench: Bench) -> None:
    """By how much each exceeds the memory of a process that holds the message, in a process of its own."""
    for who, most in (("filterd", MOST_MEMORY), ("dkimpy", None)):
        argv = [sys.executable, "-m", "tests.bench.auth_cost", "--peak", who]
        found = int(subprocess.run(argv, check=True, capture_output=True).stdout)
        bench.bound(f"extra memory to verify 10 MB, {who}", found / (1 << 20), most, "MB")


def peak(who: str) -> int:
    """Bytes that verifying a message of 10 MB adds to this process at most."""
    verifier = by_filterd if who == "filterd" else by_dkimpy
    verifier(signed(text(SMALL), "relaxed/relaxed"))  # what is loaded once is loaded
    with tempfile.NamedTemporaryFile() as file:
        # Made by another process: what signing leaves free here would serve verifying.
        argv = [sys.executable, "-m", "tests.bench.auth_cost", "--message", file.name]
        subprocess.run(argv, check=True)
        message = Path(file.name).read_bytes()
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets VmHWM
    before = _status("VmRSS:")
    if not verifier(message):
        raise RuntimeError("the signature does not verify")
    return _status("VmHWM:") - before


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(field))


class Signed(NamedTuple):
    """A message that carries signatures: their tags, and the forms in which they want the body."""

    body: bytes
    tags: list[dict[bytes, bytes]]
    forms: list[BodyForm]


def corpus(bench: Bench, archive: Path) -> None:
    """The body hashes of all signatures in public mail: the same digests, and quicker."""
    if not archive.exists():
        bench.note(f"no mail at {archive}")
        return
    found = list(_signed_mail(archive))
    pairs = [(one.body, tags, form) for one in found for tags, form in zip(one.tags, one.forms, strict=True)]
    same = sum(_theirs(body, tags) == HashedBody(body).hashes([form])[form].digest for body, tags, form in pairs)
    bench.bound("body hashes of public mail that differ", len(pairs) - same, 0, f"of {len(pairs)}")

    def ours() -> None:
        for one in found:
            HashedBody(one.body).hashes(set(one.forms))

    def theirs() -> None:
        for body, tags, _ in pairs:
            _theirs(body, tags)

    def theirs_once() -> None:
        for one in found:
            for tags in dict(zip(one.forms, one.tags, strict=True)).values():
                _theirs(one.body, tags)

    cost, other, once = best([ours, theirs, theirs_once], 3)
    bench.share(f"body hashes of {len(found)} messages", cost, other, 1.0)
    bench.share("  dkimpy asked once for each form of a body", cost, once, 1.0)


def _signed_mail(archive: Path) -> Iterator[Signed]:
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.endswith(".eml") else None
            raw = b"" if content is None else content.read()
            if b"dkim-signature:" not in raw.lower():
                continue
            raw = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            fields, start = split(raw)
            tags = [parse_tag_value(value) for name, value in fields if name.lower() == b"dkim-signature"]
            forms = [BodyForm(read_forms(one.get(b"c", b"simple"))[1], _limit(one)) for one in tags]
            if forms:
                yield Signed(raw[start:], tags, forms)


def _limit(tags: dict[bytes, bytes]) -> int | None:
    return int(tags[b"l"]) if b"l" in tags else None


def _theirs(body: bytes, tags: dict[bytes, bytes]) -> bytes:
    canonical = CanonicalizationPolicy.from_c_value(tags.get(b"c")).canonicalize_body(body)
    return hashlib.sha256(canonical[: _limit(tags)]).digest()
