"""What the soak sends: by number, so that the same number is the same message; four fifths honest, one fifth hostile.

Public mail and archives where FILTERD_SHARED has them, else only what is made here. Every message gets a field of its
own on top, so that no two are the same bytes.
"""

import random
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

from tests.support.archives import gnu_tar, locked_zip, with_dictionary, written
from tests.support.smtp import Pose
from tests.support.world import GOOD, LISTED, SPAM, STRANGER, eicar_zip, message, with_attachment

EVERY: Final = 9  # one in so many of the public messages is used: with all of them the bench would hold 400 MB
LARGEST: Final = 400_000  # bytes of a public message or file that is used
MOST: Final = 400  # files of one kind that are kept
BIG: Final = 3_000_000  # bytes of a large attachment
NOISE: Final = 100_000  # bytes in a bomb that do not shrink
UNDER: Final = 12 << 20  # bytes that a bomb below the limits makes: some 100 times its size, 200 are allowed
OVER: Final = 60 << 20  # and one above
FIELD: Final = 5_000  # of eleven bytes in a long field: of one beyond 60,000 bytes Postfix itself keeps so many
WORSE: Final = b"<div><a href=http://a.test/" + b"x" * 20 + b"><b>"  # what parsers of HTML have been slow at
OURS: Final = re.compile(rb"(?im)^(?=x-spam-flag|x-filterd-)")
BLANK: Final = re.compile(rb"(?m)^([A-Za-z][A-Za-z0-9-]*)[ \t]+(?=:)")
Maker = Callable[[random.Random, int], bytes]

# Out of a thousand messages. `honest` and below are the four fifths, the rest is hostile.
SHARES: Final[Mapping[str, int]] = {
    "honest": 606,
    "spam": 150,
    "new domain": 20,
    "large": 2,
    "large, to be held": 4,
    "listed client": 18,
    "spoof": 35,
    "virus in zip": 25,
    "encrypted archive": 25,
    "bomb under the limits": 8,
    "bomb": 6,
    "broken archive": 25,
    "malformed MIME": 35,
    "office document": 8,
    "huge header": 15,
    "worst HTML": 8,
    "nested": 10,
}
HOSTILE: Final = frozenset(list(SHARES)[6:])


@dataclass(frozen=True, slots=True)
class Item:
    """One message and who brings it."""

    number: int
    kind: str
    pose: Pose
    sender: str
    data: bytes


class Mix:
    """Messages by number. `shared` is the folder of public data, where there is one."""

    def __init__(self, shared: Path | None, seed: int) -> None:
        """Read the public data and make what is costly to make."""
        self._seed = seed
        self._public = {} if shared is None else _public(shared / "data")
        self._fixed = _fixed(random.Random(seed))
        self._kinds = [kind for kind, share in SHARES.items() for _ in range(share)]

    def item(self, number: int) -> Item:
        """The message of this number."""
        rng = random.Random(self._seed * 1_000_003 + number)
        kind = rng.choice(self._kinds)
        pose, sender = _sender(kind, number)
        data = b"X-Soak: %d\r\n" % number + self._content(kind, rng, number)
        return Item(number, kind, pose, sender, data)

    def _content(self, kind: str, rng: random.Random, number: int) -> bytes:
        public = self._public.get(kind, ())
        made = self._fixed.get(kind, ())
        chosen = rng.randrange(len(public) + len(made)) if public or made else -1
        if chosen >= len(made):
            found = public[chosen - len(made)]
            return found if kind not in _WRAPPED else _attached(found, f"file{number}.bin")
        if chosen >= 0:
            return made[chosen]
        return _MADE[kind](rng, number)


def _sender(kind: str, number: int) -> tuple[Pose, str]:
    """Who brings a message of that kind, and the envelope's sender."""
    if kind == "listed client":
        return LISTED, "offers@elsewhere.test"
    if kind == "new domain":
        return STRANGER, f"a@w{number}.test"
    if kind in HOSTILE or kind in {"spam", "large, to be held"}:
        return STRANGER, "x@elsewhere.test"
    return GOOD, "alice@aligned.test"


_WRAPPED: Final = frozenset({"broken archive", "office document"})  # public files, not messages


def _attached(data: bytes, name: str) -> bytes:
    return with_attachment("alice@aligned.test", "The file", name, data)


def _honest(rng: random.Random, number: int) -> bytes:
    words = " ".join(rng.choice(("minutes", "budget", "Monday", "draft", "thanks", "agenda")) for _ in range(60))
    return message("alice@aligned.test", f"Number {number}", words + "\r\n", number=number)


def _huge(rng: random.Random, number: int) -> bytes:
    """Near and past the limit of 60,000 bytes of header: long lines, or many fields."""
    if rng.random() < 0.5:
        extra = "".join(f"X-Field-{one}: {'v' * 40}\r\n" for one in range(rng.randrange(500, 1_500)))
    else:
        extra = "".join(f"References: {'<r@a.test> ' * rng.randrange(2_000, FIELD)}<1@a.test>\r\n" for _ in range(2))
    return message("alice@aligned.test", "Header", number=number, extra=extra)


def _worst(rng: random.Random, number: int) -> bytes:
    body = WORSE * rng.randrange(500, 4_000)
    lines = b"\r\n".join(body[start : start + 900] for start in range(0, len(body), 900))
    head, _, _ = message("x@elsewhere.test", "Worst", number=number).partition(b"\r\n\r\n")
    return head.replace(b"text/plain", b"text/html") + b"\r\n\r\n" + lines + b"\r\n"


def _nested(rng: random.Random, number: int) -> bytes:
    """Messages in messages, or multiparts in multiparts, past what is read of them."""
    text = message("x@elsewhere.test", "Innermost", number=number)
    for level in range(rng.randrange(3, 45)):
        edge = b"=_%d" % level
        text = (
            b'Subject: level\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="%s"\r\n\r\n--%s\r\n'
            b"Content-Type: message/rfc822\r\n\r\n%s\r\n--%s--\r\n"
        ) % (edge, edge, text, edge)
    return text


def _new_domain(rng: random.Random, number: int) -> bytes:  # noqa: ARG001  # as every maker is called
    return message(f"a@w{number}.test", "First time", f"See http://w{number}.test/page and reply.\r\n", number=number)


def _spoof(rng: random.Random, number: int) -> bytes:  # noqa: ARG001  # as every maker is called
    return message("ceo@strict.test", "Urgent transfer", number=number)


_MADE: Final[Mapping[str, Maker]] = {
    "honest": _honest,
    "spam": lambda _rng, _number: SPAM,
    "new domain": _new_domain,
    "listed client": _honest,
    "spoof": _spoof,
    "huge header": _huge,
    "worst HTML": _worst,
    "nested": _nested,
}


def _fixed(rng: random.Random) -> dict[str, list[bytes]]:
    """What is made once: it takes long to make."""
    noise = rng.randbytes(NOISE)
    plain = ("invoice.txt", b"Please pay.\r\n" * 50)
    archives = [
        locked_zip("invoice.exe", b"MZ" + noise[:5_000], "secret"),
        written("7zip", plain),
        with_dictionary(1_500 << 20, plain),
        gnu_tar(plain, ("more.bin", noise[:2_000])),
    ]
    broken = [one[: len(one) * 2 // 3] for one in archives]
    head, _, body = message("x@elsewhere.test", "Parts").partition(b"\r\n\r\n")
    doubtful = head.replace(b"text/plain", b'multipart/mixed; boundary="a"; boundary="b"')
    return {
        "virus in zip": [_attached(eicar_zip(), "invoice.zip")],
        "encrypted archive": [_attached(archives[0], "invoice.zip")],
        "bomb under the limits": [_attached(_bomb(noise, UNDER), "data.zip")],
        "bomb": [_attached(_bomb(b"", OVER), "data.zip")],
        "large, to be held": [with_attachment("ceo@strict.test", "Photo", "photo.jpg", rng.randbytes(LARGEST))],
        "large": [_attached(rng.randbytes(BIG), "photo.jpg")],
        "broken archive": [_attached(one, "file.bin") for one in (*broken, *archives[1:])],
        "office document": [_attached(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + noise[:4_000], "letter.doc")],
        "malformed MIME": [doubtful + b"\r\n\r\n--a\r\n\r\n" + body + b"--b\r\n\r\n" + body],
    }


def _bomb(noise: bytes, size: int) -> bytes:
    """A zip with one member of that size, zeros behind the noise."""
    buffer = BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("data.bin", noise + bytes(size))
    return buffer.getvalue()


def _public(data: Path) -> dict[str, Sequence[bytes]]:
    """Public messages and files by kind, fit for an SMTP client: lines end in CRLF."""
    mail: dict[str, list[bytes]] = {"honest": [], "spam": []}
    for number, (name, raw) in enumerate(_members(data / "mail" / "dev-mail.tar.xz")):
        if number % EVERY == 0 and name.endswith(".eml"):
            mail["spam" if "spam/" in name else "honest"].append(_lines(raw))
    odd = [*(data / "mime" / "stalwart").rglob("*.eml"), *(data / "mime" / "hide-filename" / "cur").iterdir()]
    office = (data / "attachments" / "oletools" / "test-data").rglob("*")
    return {
        **mail,
        "malformed MIME": [_lines(path.read_bytes()) for path in sorted(odd) if path.stat().st_size < LARGEST],
        "broken archive": [raw for _, raw in _members(data / "attachments" / "libarchive.tar.xz")][:MOST],
        "office document": [path.read_bytes() for path in sorted(office) if path.is_file()][:MOST],
    }


def _members(archive: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(archive) as files:
        for member in files:
            content = files.extractfile(member) if member.isfile() and member.size < LARGEST else None
            if content is not None:
                yield member.name, content.read()


def _lines(raw: bytes) -> bytes:
    """With CRLF, without what SMTP or Postfix itself would change: NUL, lone CR, mbox lines, no final line end.

    And without a blank before a field's colon: a milter is told the field's name without it, and so it is held.
    Nor with a field of ours, which is taken out where a stranger brings it.
    """
    text = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")
    text = BLANK.sub(rb"\1", OURS.sub(b"X-Was-", text))
    while text.startswith((b"From ", b">From ")):
        text = text.partition(b"\n")[2]
    return text.rstrip(b"\n").replace(b"\n", b"\r\n") + b"\r\n"


def digest(data: bytes) -> int:
    """What tells whether a message arrived as it was sent."""
    return zlib.crc32(data) << 32 | zlib.adler32(data)
