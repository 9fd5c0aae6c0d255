"""Every stream of a message: decoded parts, what is unpacked from them, their hashes, types, texts and rule hits."""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from time import monotonic
from typing import Final, Protocol

from filterd.heuristics import File
from filterd.html import Page, read_page
from filterd.inspection.naming import clean, first
from filterd.inspection.raw import Span, as_received, seen_again
from filterd.mime.buried import buried, may_be_read, may_be_signed, opens_as_message
from filterd.mime.charset import decode, transcoded
from filterd.mime.decode import Data, let_go, most
from filterd.mime.embedded import embedded
from filterd.mime.limits import MAX_DECODED, MAX_TEXT
from filterd.mime.macintosh import data_fork
from filterd.mime.message import Message, Part
from filterd.mime.parameters import names as candidate_names
from filterd.mime.smime import ENCRYPTED, opaque
from filterd.mime.symbols import (
    AMBIGUOUS_ENCODING,
    MAIL_ENCRYPTED,
    UNSCANNABLE_ARCHIVE,
    UNSCANNABLE_DEPTH,
    UNSCANNABLE_HTML,
    UNSCANNABLE_PARTIAL,
    UNSCANNABLE_PARTS,
    UNSCANNABLE_SIZE,
    UNSCANNABLE_YARA,
    clip,
    finding,
)
from filterd.model.inspection import InspectionJob, PartFacts, RuleHit
from filterd.model.report import Finding
from filterd.unpack import Budget, Member, detect, unpack
from filterd.unpack.office import has_macros
from filterd.unpack.types import TEXTS
from filterd.yarascan.engine import Scan

MAX_HITS: Final = 1_000  # rule hits kept of one message; beyond it only the first of each symbol is
MESSAGE: Final = "message"  # path and type of the whole message
MAX_RULES: Final = 50  # names of rules kept with a part; the hits say them all
MAX_CUT: Final = 20  # scans cut short that are named
YARA_SHARE: Final = 0.5  # of a message's time that rules may take: slow ones must not cost the other facts
UNPACK_SHARE: Final = 0.8  # of a message's time after which nothing more is unpacked: what is known must be told
MAX_FACTS: Final = 2_100  # parts and members listed: all that their own limits allow
MAX_WRITTEN: Final = 3  # texts written into texts; each may hold several times its own size, by overlapping marks
MAX_PAGES: Final = 50  # HTML documents parsed of one message
MAX_TEXTS: Final = 8_000_000  # bytes of all texts of one message that are looked at as text
_NUL: Final = re.compile(rb"\0")
_SHA256_EMPTY: Final = hashlib.sha256().hexdigest()


class StreamScanner(Protocol):
    """What is asked for each stream."""

    def scan(self, data: bytes | memoryview, externals: dict[str, str | int], seconds: float) -> Scan:
        """The rules that match, found within about so many seconds; `part` of a hit is the stream's path."""


@dataclass(slots=True)
class Texts:
    """Plain texts and HTML documents in order; where documents lead, and codes in pictures with their paths."""

    plain: list[str] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    codes: list[tuple[str, str]] = field(default_factory=list)


class Streams:
    """Takes a message's parts one by one and keeps what was found in them."""

    def __init__(
        self,
        job: InspectionJob,
        scanner: StreamScanner | None,
        stage: Callable[[str], AbstractContextManager[None]],
        words: Callable[[], tuple[str, ...]] = tuple,
        held: int = 0,
    ) -> None:
        """`stage` times a piece of work and keeps its exceptions from the rest; `words` gives possible passwords.

        `held` is how many bytes the message's parts themselves take.
        """
        self.facts: list[PartFacts] = []
        self.files: list[File] = []
        self.hits: list[RuleHit] = []
        self._budget = Budget(words=words, held=held, until=monotonic() + job.seconds * UNPACK_SHARE)
        self.texts = Texts(links=self._budget.links, codes=self._budget.codes)
        self.problems: list[str] = []
        self._doubts: list[Finding] = []
        self._scanner = scanner
        self._stage = stage
        self._symbols: set[str] = set()
        self._rules: set[tuple[str, str]] = set()  # files and names of those that hit
        self._yara_left = job.seconds * YARA_SHARE
        self._cut = 0
        self._text_left = MAX_TEXTS
        self._excused = frozenset(job.excused)
        self._known: list[tuple[Span, memoryview]] = []  # what the raw message need not show again, and of which buffer
        self.slow: dict[str, None] = {}  # rule files, in order
        self._base: dict[str, str | int] = {
            "owner": "",
            "client": clean(job.client_address),
            "sender_domain": clean(job.sender.rpartition("@")[2].lower()),
            "trust": clean(job.trust),
            "spf": clean(job.spf),
            "first_contact": clean(job.first_contact),
        }

    @property
    def findings(self) -> list[Finding]:
        """Doubts about encodings, and what the archives gave."""
        return [*dict.fromkeys(self._doubts), *self._budget.findings]

    def header(self, block: bytes) -> None:
        """The raw header, for rules that look at it."""
        self._scan(block, "header", "", "header", 0, "text")

    def message(self, block: bytes, body: memoryview) -> None:
        """Header and body as received, after all parts: a hit of a rule that one of them had already is not kept."""
        if self._scanner is not None:
            # Offsets count from where a part's buffer begins, and that is a decoded one for parts of encoded messages.
            spans = [span for span, raw in self._known if raw.obj is body.obj]
            size = len(block) + len(body)
            self._scan(as_received(block, body, spans), MESSAGE, "", MESSAGE, 0, "text", size)

    def part(self, part: Part) -> None:
        """One leaf of the message."""
        self._known.append((seen_again(part, self._leaf(part)), part.raw))

    def _leaf(self, part: Part) -> Sequence[Data]:
        """All readings scanned, the likeliest described; those that the part's encoding has."""
        contents = self._contents(part)
        kinds = [*map(detect, contents)]
        types = tuple(dict.fromkeys([kinds[0][0], *[kind for found in kinds for kind in found if kind not in _VAGUE]]))
        if len(contents) > 1:
            self._disagreement(part, kinds)
        more: tuple[Data, ...] = ()
        if kinds[0][0] in _VAGUE or kinds[0][0] in TEXTS:
            text = transcoded(contents[0], part.charset)
            if text is not None:
                more, kinds = (text,), [*kinds, detect(text)]
        if not part.encodings and part.content_type in _SHOWN and _NUL.search(part.raw) is not None:
            # Programs stop at it, skip it or show what follows.
            self._doubts.append(finding(AMBIGUOUS_ENCODING, "NUL in a text", part.path))
        # RFC 2183 2.8: a disposition that nobody knows is an attachment. What is no text is not shown as one.
        shown = part.kind == "body" and part.disposition in _INLINE and part.content_type in _SHOWN
        shown = shown and all(kind in TEXTS or kind in _VAGUE for kind in types)
        rules: list[str] = []
        for reading in chain(contents, more):
            rules += self._scan(reading, part.path, first(part.filenames), part.content_type, part.depth, types[0])
            del reading  # the next one needs its room
        rules += self._shown(self._read(part, contents[0], types, shown), part.path, part.depth, chain(contents, more))
        self._describe(part, contents[0], types, shown, tuple(dict.fromkeys(rules)))
        left = iter(kinds)
        for reading in chain(contents, more):
            if reading is not part.raw:
                let_go(part.raw)  # it has been decoded
            # What is neither decoded nor of the body is counted with the message that it is a part of.
            held = 0 if reading is part.raw and isinstance(part.raw.obj, bytes) else len(reading)
            with self._stage("unpack"), self._budget.holding(held):
                self._unpack(part, reading, next(left))
            del reading
        return contents

    def _contents(self, part: Part) -> Sequence[Data]:
        """The part's readings, or its bytes as they are where there is no room for what they decode to."""
        if most(part.raw, part.encodings) <= self._budget.room:
            return part.contents()
        self._doubts.append(finding(UNSCANNABLE_SIZE, "too large beside what it lies in", part.path))
        return (part.raw,)

    def _disagreement(self, part: Part, kinds: list[tuple[str, ...]]) -> None:
        """Readings that give different kinds of content are two different messages to two clients."""
        for other in kinds[1:]:
            if other[0] != kinds[0][0] and other[0] not in _VAGUE:
                self._doubts.append(finding(AMBIGUOUS_ENCODING, kinds[0][0], other[0], part.path))
                return

    def _describe(self, part: Part, data: Data, types: tuple[str, ...], shown: bool, rules: tuple[str, ...]) -> None:  # noqa: FBT001  # one of several facts, by position
        """Keep what is known of a part."""
        name = first(part.filenames)
        self.facts.append(
            PartFacts(
                part.path,
                clip(part.content_type),
                types[0],
                clip(name),
                len(data),
                hashlib.sha256(data).hexdigest() if len(data) else _SHA256_EMPTY,
                part.depth,
                rules=rules[:MAX_RULES],
            )
        )
        macro = has_macros(data, types, name)
        self.files.append(
            File(part.path, part.filenames, part.content_type, types, 0, len(data), macro=macro, text=shown)
        )

    def _read(self, part: Part, data: Data, types: tuple[str, ...], shown: bool) -> str:  # noqa: FBT001  # as above
        """The text of a part that is text, empty where it is none."""
        html = part.content_type == "text/html" or types[0] in _PAGES
        if not html and not (shown and part.content_type.startswith("text/")):
            return ""
        with self._stage("text"):
            if html:
                return self._page(data, part.charset)
            if self._has_room(data):
                self.texts.plain.append(decode(data, part.charset))
                return self.texts.plain[-1]
        return ""

    def _shown(self, text: str, path: str, depth: int, seen: Iterable[Data]) -> list[str]:
        """Rule hits of a text as a person reads it, where its bytes were not scanned already."""
        data = text.encode("utf-8", "replace")
        if any(map(lambda other: bytes(other[: len(data)]) == data, seen)):  # noqa: C417  # it keeps none while the next is made
            return []
        return self._scan(data, f"{path}!text", "", "text", depth, "text")

    def _page(self, data: Data, charset: str) -> str:
        """What is seen of an HTML document, in a part or unpacked."""
        if len(self.texts.pages) >= MAX_PAGES:
            self._doubts.append(finding(UNSCANNABLE_HTML, f"more than {MAX_PAGES} documents"))
        elif self._has_room(data):
            self.texts.pages.append(read_page(decode(data, charset)))
            return self.texts.pages[-1].text
        return ""

    def _has_room(self, data: Data) -> bool:
        """Whether there is room for one more text."""
        if self._text_left <= 0:
            self._doubts.append(finding(UNSCANNABLE_PARTS, f"more than {MAX_TEXTS} bytes of text"))
            return False
        self._text_left -= min(len(data), MAX_TEXT)
        return True

    def _unpack(self, part: Part, data: Data, kinds: tuple[str, ...]) -> None:
        """Archives, files written into text, and parts that nobody declared."""
        for member in unpack(data, part.path, first(part.filenames), 0, self._budget, part.content_type, kinds):
            self._member(member, part.depth)
            del member  # the next one needs its room
        if kinds[0] in TEXTS or (kinds[0] in _VAGUE and may_be_read(part, data)):
            self._written(part, data)

    def _written(self, part: Part, data: Data, level: int = 0) -> None:
        """What is written into a text, which itself was written into `level` others."""
        if (fork := data_fork(data)) is not None:
            self._inside(part, fork[0] or "data", fork[1], level)
        del fork
        opened = opens_as_message(part)
        message = buried(data, part.path, part.depth, every=opened, room=min(self._budget.room, MAX_DECODED))
        with self._budget.holding(message.decoded if message is not None else 0):
            self._files_in(part, data, level, message)
            if may_be_signed(part):
                self._signed(part, data, level)
            if message is not None:
                self._doubts += message.findings if opened else ()
                self._buried(message, part.path)

    def _files_in(self, part: Part, data: Data, level: int, message: Message | None) -> None:
        """What is encoded in a text by marks of its own."""
        for found in embedded(data, self._budget.allowance(len(data))):
            if found.missing:
                self._doubts.append(finding(UNSCANNABLE_PARTIAL, found.missing, part.path))
            if found.content and self._budget.take_file(part.path):
                self._budget.spend(len(found.content))
                kind = self._inside(part, found.name, found.content, level)
                if not found.name and kind not in _VAGUE and (message is None or not message.parts):
                    self._doubts.append(finding(AMBIGUOUS_ENCODING, "undeclared base64", part.path))
            del found

    def _buried(self, message: Message, path: str) -> None:
        """Parts that stand in a text. Each reading of one may hold more of them, so all draw on the budget."""
        for inner in message.parts:
            if self._budget.bytes < inner.raw.nbytes:
                self._budget.stop("too many bytes", path)
            if not self._budget.take_file(path):
                return
            self._budget.spend(inner.raw.nbytes)
            self._leaf(inner)

    def _signed(self, part: Part, data: Data, level: int) -> None:
        """The message inside of an S/MIME signature, or that it is encrypted."""
        signed = opaque(data)
        if signed is not None and signed.closed:
            symbol = MAIL_ENCRYPTED if signed.closed == ENCRYPTED else UNSCANNABLE_ARCHIVE
            self._doubts.append(finding(symbol, f"S/MIME, {signed.closed}", part.path))
        elif signed is not None and signed.content and self._budget.take_file(part.path):
            self._inside(part, "signed.eml", signed.content, level)

    def _inside(self, part: Part, name: str, content: bytes, level: int) -> str:
        """A file found in a part that is no archive; what it is."""
        kinds = detect(content)
        names = tuple(candidate_names((name,))) if name else ()
        path = f"{part.path}/{first(names) or 'base64'}"
        self._member(Member(path, names, content, kinds, 1), part.depth)
        with self._budget.holding(len(content)):
            for member in unpack(content, path, name, 1, self._budget, types=kinds):
                self._member(member, part.depth)
                del member
            if kinds[0] in TEXTS or kinds[0] in _VAGUE:
                if level < MAX_WRITTEN:
                    inner = Part(path, part.depth + 1, 0, memoryview(content), filenames=names)
                    self._written(inner, content, level + 1)
                else:
                    self._doubts.append(finding(UNSCANNABLE_DEPTH, path))
        return kinds[0]

    def _member(self, member: Member, depth: int) -> None:
        """Keep and scan something unpacked."""
        if len(self.facts) >= MAX_FACTS:
            self._doubts.append(finding(UNSCANNABLE_PARTS, f"more than {MAX_FACTS} parts and members"))
            return
        name = first(member.names)
        path = clean(member.path)
        rules = self._scan(member.data, path, name, "", depth + member.depth, member.types[0])
        text = ""
        if member.types[0] in _PAGES:
            with self._stage("text"):
                text = self._page(member.data, "")
        rules += self._shown(text, path, depth + member.depth, (member.data,))
        self.facts.append(
            PartFacts(
                path,
                "",
                member.types[0],
                clip(name),
                len(member.data),
                hashlib.sha256(member.data).hexdigest(),
                depth + member.depth,
                member.encrypted,
                tuple(dict.fromkeys(rules))[:MAX_RULES],
            )
        )
        macro = has_macros(member.data, member.types, name)
        self.files.append(
            File(path, member.names, "", member.types, member.depth, len(member.data), member.encrypted, macro)
        )

    def _scan(
        self, data: Data, path: str, name: str, part_type: str, depth: int, kind: str, size: int = 0
    ) -> list[str]:
        """Rule hits of one stream; the rules' names. `size` is the stream's where `data` is not all of it."""
        if self._scanner is None or not len(data):
            return []
        externals = self._base | {
            "filename": clean(name),
            "filepath": path,
            "extension": clean(name.rpartition(".")[2].lower()) if "." in name else "",
            "filetype": kind,
            "part_type": clean(part_type),
            "depth": depth,
            "size": size or len(data),
        }
        if self._yara_left <= 0:
            self._cut_short(path, "no time left")
            return []
        scan = Scan()
        start = monotonic()
        with self._stage("yara"):
            scan = self._scanner.scan(data, externals, self._yara_left)
            self._keep(scan.hits)
        self._yara_left -= monotonic() - start
        self.slow |= dict.fromkeys(scan.slow)
        if scan.slow and not scan.unasked and self._excused.issuperset(scan.slow):
            self.problems.append(clip(f"yara: {path}: {scan.cut}"))
        elif scan.cut:
            self._cut_short(path, scan.cut)
        return [hit.rule for hit in scan.hits]

    def _keep(self, hits: Iterable[RuleHit]) -> None:
        """Keep hits; a thousand of one rule must not push another one out."""
        for hit in hits:
            rule = hit.namespace, hit.rule
            if hit.part == MESSAGE and rule in self._rules:
                continue
            self._rules.add(rule)
            if len(self.hits) < MAX_HITS or hit.symbol not in self._symbols:
                self._symbols.add(hit.symbol)
                self.hits.append(hit)

    def _cut_short(self, path: str, cause: str) -> None:
        """Say that the rules have not seen all of a stream."""
        self._cut += 1
        if self._cut <= MAX_CUT:
            self._doubts.append(finding(UNSCANNABLE_YARA, path, cause))
            self.problems.append(clip(f"yara: {path}: {cause}"))


_INLINE: Final = frozenset({"", "inline"})
_VAGUE: Final = frozenset({"data", "text"})  # kinds that say nothing
_PAGES: Final = frozenset({"html", "svg"})
_SHOWN: Final = frozenset({"text/plain", "text/html", "text/enriched", "text/calendar"})
