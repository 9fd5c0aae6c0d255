"""The walk: one pass over the body for all boundaries at once."""

import re
from dataclasses import dataclass, field, replace
from typing import Final

from filterd.mime import symbols
from filterd.mime.decode import IDENTITY, most
from filterd.mime.entity import Entity, read_entity
from filterd.mime.header import HeaderBlock, header_end, line_end, lone_fields, split_block
from filterd.mime.limits import (
    MAX_BOUNDARY,
    MAX_DECODED,
    MAX_DEPTH,
    MAX_FIELDS,
    MAX_HEADER_BYTES,
    MAX_OTHER_ENDS,
    MAX_PART_HEADER,
    MAX_PARTS,
)
from filterd.mime.lineends import fingerprint, odd_ends, with_line_feeds
from filterd.mime.message import Message, Part, index_fields
from filterd.mime.places import TEXT, Frame, Leaf, Place, child_path, default_type
from filterd.mime.symbols import finding
from filterd.model.message import HeaderField
from filterd.model.report import Finding

_DASHES: Final = re.compile(rb"\n--([^\r\n]*)")
_CONTENT: Final = rb"Content-(?:Type|Transfer-Encoding|Disposition)[ \t]*:"
_STRAY: Final = re.compile(rb"\n" + _CONTENT, re.IGNORECASE)
_FIRST: Final = re.compile(_CONTENT, re.IGNORECASE)
_STRUCTURAL: Final = frozenset({b"content-type", b"content-transfer-encoding", b"content-disposition"})
_CR: Final = 13
_LF: Final = 10
_BOILERPLATE: Final = 256  # bytes of preamble or epilogue that are not worth a part: "This is a multi-part message"
_WORD: Final = re.compile(rb"[^\s]{32}|[\x00-\x08\x0e-\x1f]")  # except where there is what no sentence holds
_MESSAGES: Final = frozenset({"message/rfc822", "message/global", "message/news"})
_PARTIAL: Final = frozenset({"message/partial", "message/external-body"})


def parse(fields: tuple[HeaderField, ...], body: memoryview, room: int = MAX_DECODED) -> Message:
    """The message's parts. Linear in the body; never raises; what could not be read is in the findings.

    `room` is how many bytes inner messages may take that have to be decoded.
    """
    index = index_fields(fields)
    walk = Walk(room=room)
    behind = lone_fields(fields)
    if any(name.lower() in _STRUCTURAL for name, _ in behind):
        walk.note(finding(symbols.AMBIGUOUS_HEADER, "a field behind a bare carriage return"))
        index = index_fields((*fields, *behind))
    if len(fields) > MAX_FIELDS or sum([len(name) + len(value) + 3 for name, value in fields]) > MAX_HEADER_BYTES:
        walk.note(finding(symbols.UNSCANNABLE_HEADER, f"{len(fields)} fields"))
    for value in (*index.get(b"content-type", ()), *index.get(b"content-transfer-encoding", ())):
        if b"\0" in value:
            walk.note(finding(symbols.AMBIGUOUS_HEADER, "NUL in a Content field"))
    walk.entity(Place(body, "", 0), read_entity(index, "text/plain"), 0)
    found = tuple(walk.parts), tuple(walk.containers), tuple(walk.findings)
    return Message(fields, body, *found, index, room - walk.room)


def is_header(view: memoryview) -> bool:
    """Whether a part's header stands somewhere in a text."""
    return _FIRST.match(view) is not None or _STRAY.search(view) is not None


def parse_from(walk: "Walk", view: memoryview, path: str, depth: int, entity: Entity | None, start: int) -> None:
    """Walk from the content of an entity that begins at `start`; without one look for part headers alone."""
    if entity is not None:
        walk.entity(Place(view, path, depth), entity, start)
    else:
        _Buffer(walk, view).stray(start, len(view), path, depth)


@dataclass(slots=True)
class Walk:
    """What has been found so far, in all buffers of one message; `room` is for those that have to be decoded."""

    parts: list[Part] = field(default_factory=list)
    containers: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    room: int = MAX_DECODED

    def note(self, found: Finding) -> None:
        """Keep a finding once."""
        if len(self.findings) < MAX_PARTS and found not in self.findings[-8:]:
            self.findings.append(found)

    def doubt(self, block: HeaderBlock, path: str) -> None:
        """A line that is no field, or nearly one, ends a header for some readers: to them the rest of it is text."""
        if block.garbage or block.nul or block.loose:
            self.note(finding(symbols.AMBIGUOUS_HEADER, path, *block.garbage[:2]))

    def too_deep(self, path: str) -> None:
        """Say that nothing is read further in."""
        self.note(finding(symbols.UNSCANNABLE_DEPTH, path))

    @property
    def full(self) -> bool:
        """True once no more parts are taken."""
        return len(self.parts) >= MAX_PARTS

    def entity(self, place: Place, entity: Entity, start: int) -> None:
        """Walk the buffer from the content of one entity to its end."""
        before = len(self.parts)
        _Buffer(self, place.view).run(place, entity, start)
        if not (entity.boundaries or entity.types[0] in _MESSAGES) or self.full or not odd_ends(place.view):
            return
        if len(place.view) > MAX_OTHER_ENDS:
            self.note(finding(symbols.AMBIGUOUS_BOUNDARY, "other line ends in a large message", place.path))
            return
        seen = {fingerprint(part.raw) for part in self.parts[before:]}
        other = Walk(room=self.room)
        view = with_line_feeds(place.view[start:])
        _Buffer(other, view).run(Place(view, f"{place.path}.cr" if place.path else "cr", place.depth), entity, 0)
        self.room = other.room
        more = [part for part in other.parts if part.kind != "whole" and fingerprint(part.raw) not in seen]
        if more:
            self.note(finding(symbols.AMBIGUOUS_BOUNDARY, "delimiters behind bare carriage returns", place.path))
        for part in more:
            self.add(part)

    def add(self, part: Part) -> None:
        """Keep a leaf; encoded messages inside it are walked as buffers of their own."""
        if self.full:
            self.note(finding(symbols.UNSCANNABLE_PARTS, f"more than {MAX_PARTS} parts"))
            return
        if part.types[0] in _PARTIAL:
            # Its content arrives elsewhere (RFC 2046 5.2.2, 5.2.3): nobody here can have looked at it.
            self.note(finding(symbols.UNSCANNABLE_PARTIAL, part.types[0]))
        encoded = part.encodings and part.encodings[0] not in IDENTITY
        if encoded and part.types[0].startswith(("message/", "multipart/")) and part.types[0] != "message/partial":
            self._inner(part)
        self.parts.append(part)

    def _inner(self, part: Part) -> None:
        """A message or multipart under a transfer encoding (RFC 2045, 6.4 forbids it; clients decode it)."""
        if part.depth >= MAX_DEPTH:
            self.too_deep(part.path)
            return
        if most(part.raw, part.encodings) > self.room:
            self.note(finding(symbols.UNSCANNABLE_SIZE, "encoded messages too large together", part.path))
            return
        content = memoryview(part.contents()[0])
        self.room -= len(content)
        place = Place(content, part.path, part.depth + 1)
        if part.types[0] in _MESSAGES:
            if split_block(part.raw, 0, MAX_PART_HEADER, strict=False).fields and content != part.raw:
                self.note(finding(symbols.AMBIGUOUS_ENCODING, "a message that can be read without decoding", part.path))
            block = split_block(content, 0, MAX_PART_HEADER, strict=False)
            self.doubt(block, part.path)
            self.containers.append((part.path, part.types[0]))
            self.entity(place, read_entity(index_fields(block.fields), "text/plain"), block.end)
        elif part.types[0].startswith("multipart/"):
            self.note(finding(symbols.AMBIGUOUS_ENCODING, "encoded multipart", part.path))
            inner = read_entity(index_fields(part.fields), "text/plain")
            self.entity(place, Entity(inner.types, inner.boundaries), 0)


class _Buffer:
    """One pass over one buffer: a stack of open multiparts and a table of their boundaries."""

    def __init__(self, walk: Walk, view: memoryview) -> None:
        self.walk = walk
        self.view = view
        self.stack: list[Frame] = []
        self.known: dict[bytes, int] = {}
        self.prefixes: tuple[bytes, ...] = ()
        self.leaf: Leaf | None = None

    def run(self, place: Place, entity: Entity, start: int) -> None:
        """Walk from `start` to the end of the buffer."""
        position = self.open(place.path, place.depth, entity, (), start)
        if self.stack:
            # A boundary may stand in the very first line: look at the line before it.
            self.first_line(position)
            while self.stack and not self.walk.full:
                match = _DASHES.search(self.view, position)
                if match is None:
                    break
                position = self.line(match[1], match.start(), match.end())
            if self.walk.full:
                self.walk.note(finding(symbols.UNSCANNABLE_PARTS, f"more than {MAX_PARTS} parts"))
        self.close_leaf(len(self.view))
        self.pop_to(-1, len(self.view))

    def first_line(self, start: int) -> None:
        """Handle a delimiter at the very start of a multipart's content, which no line feed precedes."""
        while self.stack and self.leaf is not None and self.leaf.start == start:
            if bytes(self.view[start : start + 2]) != b"--":
                return
            head = bytes(self.view[start + 2 : start + 2 + MAX_BOUNDARY])
            line = head.split(b"\n", 1)[0].rstrip(b"\r")
            before = start
            start = self.line(line, start, start + 2 + len(line))
            if start == before:
                return

    def open(
        self, path: str, depth: int, entity: Entity, fields: tuple[HeaderField, ...], start: int, odd: int = -1
    ) -> int:
        """Begin an entity whose content starts at `start`; where its own inner header ends is where to go on.

        For some it starts at `odd` already.
        """
        while True:
            for found in entity.findings:
                self.walk.note(found)
            kind = entity.types[0]
            if depth >= MAX_DEPTH:
                self.walk.too_deep(path or "1")
                break
            if entity.boundaries and (entity.encodings in ((), ("",)) or self.visible(entity.boundaries, start)):
                self.push(Frame(path, depth, entity.boundaries, entity, default_type(kind), start))
                self.leaf = Leaf(child_path(path, 0), depth, TEXT, (), start, "preamble")
                return start
            if kind not in _MESSAGES or entity.encodings:
                break
            # RFC 2046 5.2.1: the content is a message: its header begins here.
            self.walk.containers.append((path or "1", kind))
            # A message may be a header alone, and the delimiter around it ends that.
            block = split_block(self.view, start, self.header_limit(start), strict=False)
            fields, start, depth = block.fields, block.end, depth + 1
            path = path or "1"
            self.walk.doubt(block, path)
            entity = read_entity(index_fields(fields), "text/plain")
            if not entity.boundaries and entity.types[0] not in _MESSAGES:
                path = child_path(path, 1)
        self.leaf = Leaf(path or "1", depth, entity, fields, start, odd=odd)
        return start

    def visible(self, boundaries: tuple[bytes, ...], start: int) -> bool:
        """True where a multipart that claims a transfer encoding was not encoded at all: sloppy, and clear enough."""
        stop = min(len(self.view), start + MAX_PART_HEADER)
        head = bytes(self.view[start : start + MAX_BOUNDARY])
        if head[:2] == b"--" and head[2:].split(b"\n", 1)[0].rstrip() in boundaries:
            return True
        lines = _DASHES.finditer(self.view, max(start - 1, 0), stop)
        return any(match[1].rstrip(b" \t") in boundaries for match in lines)

    def push(self, frame: Frame) -> None:
        """Open a multipart."""
        self.walk.containers.append((frame.path, frame.entity.types[0]))
        for boundary in frame.boundaries:
            if boundary in self.known:
                self.walk.note(finding(symbols.AMBIGUOUS_BOUNDARY, "the same boundary inside itself", boundary))
            self.known[boundary] = len(self.stack)
        self.stack.append(frame)
        self.prefixes = tuple(self.known)

    def line(self, text: bytes, start: int, end: int) -> int:
        """Judge one line of two dashes; where to search on."""
        bare = text.rstrip(b" \t")
        level = self.known.get(bare)
        closing = False
        boundary = bare
        if level is None and bare.endswith(b"--"):
            boundary = bare[:-2].rstrip(b" \t")
            level = self.known.get(boundary)
            closing = level is not None
            if closing and len(boundary) != len(bare) - 2:
                self.walk.note(finding(symbols.AMBIGUOUS_BOUNDARY, "a blank in a closing delimiter", bare))
        if level is None:
            if bare.startswith(self.prefixes) and _STRAY.match(self.view, line_end(self.view, end) - 1):
                # A client that compares only the boundary's length takes this for a delimiter.
                self.walk.note(finding(symbols.AMBIGUOUS_BOUNDARY, "a longer boundary", bare))
                following = _DASHES.search(self.view, end)
                stop = following.start() if following else len(self.view)
                self.stray(end, stop, self.stack[-1].path, self.stack[-1].depth, most=1)
            return end
        self.close_leaf(start)
        self.pop_to(level, start)
        frame = self.stack[level]
        frame.used.add(boundary)
        if closing:
            self.leaf = Leaf(child_path(frame.path, 0), frame.depth, TEXT, (), end, "epilogue")
            return end
        return self.begin_part(frame, end)

    def begin_part(self, frame: Frame, end: int) -> int:
        """The header of a part behind the delimiter that ends at `end`."""
        after = line_end(self.view, end)
        frame.children += 1
        path = child_path(frame.path, frame.children)
        limit = self.header_limit(after)
        if limit != MAX_PART_HEADER:
            self.walk.note(finding(symbols.AMBIGUOUS_BOUNDARY, "a part without an empty line", path))
        block = split_block(self.view, after, limit, strict=False)
        self.walk.doubt(block, path)
        entity = read_entity(index_fields(block.fields), frame.default)
        content = self.open(path, frame.depth + 1, entity, block.fields, block.end, block.odd)
        # The line feed that ends the header may be the one before the next delimiter.
        return max(content - 1, after - 1)

    def header_limit(self, start: int) -> int:
        """Bytes up to the next delimiter: a part without an empty line has no content, and takes nobody else's."""
        stop = header_end(self.view, start, MAX_PART_HEADER)
        position = max(start - 1, 0)
        while (match := _DASHES.search(self.view, position, stop)) is not None:
            bare = match[1].rstrip(b" \t")
            if bare in self.known or (bare.endswith(b"--") and bare[:-2].rstrip(b" \t") in self.known):
                return match.start() + 1 - start
            position = match.end()
        return MAX_PART_HEADER

    def close_leaf(self, stop: int) -> None:
        """The current leaf's content ends before the line end at `stop`."""
        leaf, self.leaf = self.leaf, None
        if leaf is None:
            return
        if leaf.start < stop < len(self.view) and self.view[stop - 1] == _CR:
            stop -= 1
        stop = max(stop, leaf.start)
        if leaf.kind != "body":
            if stop - leaf.start > _BOILERPLATE or _WORD.search(self.view, leaf.start, stop):
                self.leaf_part(leaf, stop, leaf.kind)
            if self.stray(leaf.start, stop, leaf.path, leaf.depth):
                self.walk.note(finding(symbols.AMBIGUOUS_BOUNDARY, f"a part in the {leaf.kind}", leaf.path))
            return
        self.leaf_part(leaf, stop, "body")
        if 0 <= leaf.odd < stop:
            # To those who end the header at its first odd line the content begins there.
            start = line_end(self.view, leaf.odd)
            self.leaf_part(replace(leaf, path=f"{leaf.path}.odd", start=max(start, leaf.odd)), stop, "stray")
        if leaf.entity.types[0].startswith("multipart/") and self.stray(leaf.start, stop, leaf.path, leaf.depth):
            self.walk.note(finding(symbols.AMBIGUOUS_BOUNDARY, "parts without a boundary", leaf.path))

    def leaf_part(self, leaf: Leaf, stop: int, kind: str) -> None:
        """Hand a leaf over."""
        entity = leaf.entity
        self.walk.add(
            Part(
                leaf.path,
                leaf.depth,
                leaf.start,
                self.view[leaf.start : stop],
                entity.types,
                entity.charset,
                entity.encodings,
                entity.disposition,
                entity.filenames,
                leaf.fields,
                kind,
            )
        )

    def stray(self, start: int, stop: int, path: str, depth: int, most: int = MAX_PARTS) -> int:
        """Part headers where no part should be: each is read as a part of its own. Their number."""
        count = 0
        position = max(start - 1, 0)
        while count < most and not self.walk.full:
            # No line feed stands before the very first line of the buffer.
            match = (None if position else _FIRST.match(self.view, 0, stop)) or _STRAY.search(self.view, position, stop)
            if match is None:
                break
            begin = match.start() + (self.view[match.start()] == _LF)
            block = split_block(self.view, begin, min(MAX_PART_HEADER, stop - begin), strict=False)
            content = max(block.end, match.end())
            following = _STRAY.search(self.view, content - 1, stop)
            end = following.start() if following else stop
            entity = read_entity(index_fields(block.fields), "text/plain")
            if "quoted-printable" in entity.encodings:
                # Headers are readable under it, and may be content: what it holds is looked through when it is decoded.
                delimiter = _DASHES.search(self.view, content - 1, stop)
                end = delimiter.start() if delimiter else stop
            count += 1
            leaf = Leaf(f"{path}.stray{count}", depth, entity, block.fields, content, "stray")
            self.leaf_part(leaf, max(end, content), "stray")
            position = max(content - 1, match.end(), end if "quoted-printable" in entity.encodings else 0)
        return count

    def pop_to(self, level: int, stop: int) -> None:
        """Close all multiparts deeper than `level`."""
        while len(self.stack) > level + 1:
            frame = self.stack.pop()
            for boundary in frame.boundaries:
                if self.known.get(boundary) == len(self.stack):
                    del self.known[boundary]
            self.finish(frame, stop)
        self.prefixes = tuple(self.known)

    def finish(self, frame: Frame, stop: int) -> None:
        """Look back at a closed multipart: whether one reading did, and whether another sees a text."""
        if len(frame.used) > 1:
            self.walk.note(finding(symbols.AMBIGUOUS_BOUNDARY, "two boundaries in use", *sorted(frame.used)[:3]))
        if not frame.children or len(frame.entity.types) > 1:
            other = next((kind for kind in frame.entity.types if not kind.startswith("multipart/")), "text/plain")
            entity = Entity((other,), encodings=frame.entity.encodings)
            leaf = Leaf(frame.path or "1", frame.depth, entity, (), frame.start, "whole")
            self.leaf_part(leaf, max(stop, frame.start), "whole")
