"""What the objects of a PDF document do: actions, scripts, embedded files, forms, pictures (ISO 32000-2)."""

import re
from collections.abc import Iterator
from typing import Final

from pikepdf import Array, Dictionary, Name, Object, Pdf, Stream, String

from filterd.mime import symbols
from filterd.unpack.budget import MAX_PICTURES, Budget
from filterd.unpack.pdf_streams import decoded
from filterd.unpack.pieces import Piece, hand_out

MAX_NODES: Final = 300_000  # arrays, dictionaries and their items looked at in one document
MAX_STRING: Final = 1_000_000  # characters of a script that is a string
MAX_SPEC: Final = 2_000  # characters of a name or address
_NAMES: Final = ("/UF", "/F", "/Unix", "/DOS", "/Mac")  # 7.11.3
_REMOTE: Final = frozenset({"/GoToR", "/GoToE", "/ImportData", "/Thread"})  # 12.6.4
_ACTING: Final = frozenset({"/JavaScript", "/Launch", "/URI", "/SubmitForm"}) | _REMOTE
_AWAY: Final = re.compile(r"\\\\|//|[a-z]{2,10}:", re.IGNORECASE)
_XFA_TARGET: Final = re.compile(rb"\btarget\s{0,8}=\s{0,8}[\"']([^\"'<>]{1,2000})")
_XFA_SCRIPT: Final = re.compile(rb"<script\b", re.IGNORECASE)


class Walk:
    """Takes a document's telling objects one by one."""

    def __init__(self, path: str, budget: Budget) -> None:
        """`path` is the document's; `pictures` are its first ones."""
        self.pictures: list[Stream] = []
        self._path = path
        self._budget = budget
        self._nodes = 0
        self._scripts = 0
        self._seen: set[tuple[int, int]] = set()
        self._noted: set[str] = set()
        self._nameless: list[Stream] = []

    def look(self, found: Object) -> Iterator[Piece]:
        """One object with all that lies directly in it. May raise what pikepdf does."""
        stack = [found]
        while stack:
            item = stack.pop()
            inner: list[Object] = []
            if isinstance(item, (Dictionary, Stream)):
                values = dict((item.stream_dict if isinstance(item, Stream) else item).items())
                yield from self._judge(item, values)
                inner = list(values.values())
            elif isinstance(item, Array):
                inner = list(item.as_list())
            self._nodes += len(inner)
            if self._nodes > MAX_NODES:
                self._note(symbols.UNSCANNABLE_DOCUMENT, f"pdf: more than {MAX_NODES} items")
                return
            stack += [one for one in inner if isinstance(one, (Dictionary, Array)) and not one.is_indirect]

    def finish(self, pdf: Pdf) -> Iterator[Piece]:
        """Files that no specification names, and what the document as a whole does when it is opened."""
        for stream in self._nameless:
            yield from self._file(stream, ())
        root = pdf.trailer.get("/Root")
        if not isinstance(root, Dictionary):
            return
        action = root.get("/OpenAction")
        kind = _name(action.get("/S")) if isinstance(action, Dictionary) else ""
        if kind in _ACTING:
            self._note(symbols.PDF_OPEN_ACTION, kind[1:])
        names = root.get("/Names")
        if isinstance(names, Dictionary) and names.get("/JavaScript") is not None:
            self._note(symbols.PDF_OPEN_ACTION, "JavaScript")
        base = root.get("/URI")
        if isinstance(base, Dictionary):
            self._budget.link(_text(base.get("/Base")))

    def _note(self, symbol: str, *evidence: str) -> None:
        """Once for a document: the first is evidence enough."""
        if symbol not in self._noted:
            self._noted.add(symbol)
            self._budget.note(symbol, *evidence, self._path)

    def _judge(self, item: Object, values: dict[str, Object]) -> Iterator[Piece]:
        """One dictionary."""
        if "/JS" in values:
            yield from self._script(values["/JS"])
        self._action(values)
        if "/EF" in values:
            yield from self._embedded(values)
        if "/XFA" in values:
            yield from self._xfa(values["/XFA"])
        if "/AA" in values and isinstance(values["/AA"], Dictionary):
            self._additional(values["/AA"])
        if isinstance(item, Stream):
            if _name(values.get("/Type")) == "/EmbeddedFile":
                self._nameless.append(item)
            elif _name(values.get("/Subtype")) == "/Image" and len(self.pictures) < MAX_PICTURES:
                self.pictures.append(item)

    def _action(self, values: dict[str, Object]) -> None:
        """Where an action leads (12.6.4)."""
        kind = _name(values.get("/S"))
        if "/URI" in values:
            self._budget.link(_text(values["/URI"]))
        target = _specified(values.get("/F"))
        if kind == "/Launch":
            windows = values.get("/Win")
            program = (
                " ".join([_text(windows.get(key)) for key in ("/F", "/P")]) if isinstance(windows, Dictionary) else ""
            )
            self._note(symbols.PDF_LAUNCH, program.strip() or target or "?")
        elif kind == "/SubmitForm":
            self._budget.link(target)
            self._note(symbols.PDF_FORM_SUBMIT, target)
        elif kind in _REMOTE and target:
            self._budget.link(target)
            if _AWAY.match(target):
                self._note(symbols.PDF_REMOTE_FILE, target)

    def _additional(self, actions: Dictionary) -> None:
        """Actions that events start: opening, printing, a pointer that comes near (12.6.3)."""
        for event, action in actions.items():
            kind = _name(action.get("/S")) if isinstance(action, Dictionary) else ""
            if kind in _ACTING:
                self._note(symbols.PDF_OPEN_ACTION, event, kind[1:])

    def _script(self, value: Object) -> Iterator[Piece]:
        """JavaScript in a string or a stream (12.6.4.17)."""
        self._scripts += 1
        name = f"script-{self._scripts}"
        shown = _text(value)
        if isinstance(value, Stream):
            if self._is_new(value):
                pieces = list(decoded(value, self._path, name, self._budget))
                shown = bytes(pieces[0][2][:MAX_SPEC]).decode("utf-8", "replace") if pieces else ""
                yield from pieces
        elif isinstance(value, String):
            yield from hand_out(self._budget, self._path, name, str(value)[:MAX_STRING].encode("utf-8", "replace"))
        self._note(symbols.PDF_JAVASCRIPT, shown)

    def _embedded(self, values: dict[str, Object]) -> Iterator[Piece]:
        """The streams of a file specification (7.11.4), under all the names it gives."""
        streams = values["/EF"]
        names = [_text(values.get(key)) for key in _NAMES]
        if isinstance(streams, Dictionary):
            for stream in streams.values():
                if isinstance(stream, Stream):
                    yield from self._file(stream, tuple(dict.fromkeys([name for name in names if name])))

    def _file(self, stream: Stream, names: tuple[str, ...]) -> Iterator[Piece]:
        """One embedded file, once."""
        if self._is_new(stream):
            first = names[0] if names else f"file-{stream.objgen[0]}"
            self._note(symbols.PDF_EMBEDDED_FILE, first)
            yield from decoded(stream, self._path, first, self._budget, *names[1:])

    def _xfa(self, value: Object) -> Iterator[Piece]:
        """A form in XML: one stream, or an array of names and streams (12.7.8)."""
        self._note(symbols.PDF_XFA)
        streams = list(value.as_list()) if isinstance(value, Array) else [value]
        for number, stream in enumerate(streams):
            if not isinstance(stream, Stream) or not self._is_new(stream):
                continue
            for piece in decoded(stream, self._path, f"xfa-{number}", self._budget):
                for match in _XFA_TARGET.finditer(piece[2]):
                    self._budget.link(match[1].decode("utf-8", "replace"))
                    self._note(symbols.PDF_FORM_SUBMIT, match[1].decode("utf-8", "replace"))
                script = _XFA_SCRIPT.search(piece[2])
                if script is not None:
                    shown = bytes(piece[2][script.start() : script.start() + MAX_SPEC])
                    self._note(symbols.PDF_JAVASCRIPT, shown.decode("utf-8", "replace"))
                yield piece

    def _is_new(self, stream: Object) -> bool:
        """Whether this stream was not handed out yet: many objects may name the same."""
        if stream.objgen in self._seen:
            return False
        self._seen.add(stream.objgen)
        return True


def _name(value: object) -> str:
    """A name with its slash; empty for anything else."""
    return str(value) if isinstance(value, Name) else ""


def _text(value: object) -> str:
    """The beginning of a string; empty for anything else."""
    return str(value)[:MAX_SPEC].strip("\0 \t\r\n") if isinstance(value, (String, str)) else ""


def _specified(value: object) -> str:
    """The file or address that a file specification names (7.11)."""
    if isinstance(value, Dictionary):
        return next((name for name in [_text(value.get(key)) for key in _NAMES] if name), "")
    return _text(value)
