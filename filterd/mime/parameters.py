"""Content-Type, Content-Disposition and their parameters under every plausible reading (RFC 2045 5.1, RFC 2231)."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from filterd.mime.charset import decode
from filterd.mime.header import unfold
from filterd.mime.limits import MAX_FILENAME, MAX_PARAMETERS
from filterd.mime.words import decode_words

_MAIN: Final = re.compile(rb"[ \t]*([^;\s\"()]+)")
_PARAMETER: Final = re.compile(rb";\s*([^=;\s\"]+)\s*=\s*(\"(?:[^\"\\]|\\.)*+\"?|[^;]*)")
# Readings of clients that do not know quoted strings: a word, "=", and what follows. The look-behind keeps the search
# linear: a pair begins where a word begins.
_LOOSE: Final = re.compile(rb"(?<![A-Za-z0-9*-])([A-Za-z][A-Za-z0-9*-]*)[ \t]*=[ \t]*(\"[^\"]*\"|'[^']*'|[^;\s]*)")
_REST: Final = re.compile(
    rb"(?<![A-Za-z0-9*-])([A-Za-z][A-Za-z0-9*-]*)[ \t]*=[ \t]*(.*?)(?=;[ \t]*[A-Za-z][A-Za-z0-9*-]*[ \t]*=|\Z)",
    re.DOTALL,
)
_QUOTED_MAIN: Final = re.compile(rb"(?:\"(?:[^\"\\]|\\.)*+\"|[^;\"])*+")
_SECTION: Final = re.compile(r"([^*]+)\*(?:0*([0-9]+)\*?)?\Z")
_DIGITS: Final = 9  # of a section's number that are looked at
_ESCAPE: Final = re.compile(rb"\\(.)")
# What a plain value never holds: comments, escapes, apostrophes, control characters, a quote before the first "=", that
# at the very beginning, text behind a closing quote, a segment without "=".
_ODD: Final = re.compile(
    rb"[(\\'\x00-\x08\x0b\x0c\x0e-\x1f]|\A(?:[^=\"]*\"|\s*=)|[^=\s]\"[ \t]*[^;\s]|;[ \t]*[^=;\s]+[ \t]*(?:;|\Z)"
)
_FOLDED_IN_QUOTES: Final = re.compile(rb"=[ \t]*\"[^\"\n]*\n")
_FOLD: Final = re.compile(rb"\r?\n[ \t]+")
_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Parameters:
    """The main value in lower case and all parameter readings: lower-case name to values, likeliest first.

    `repeated` names those that were given twice with different values, a section of "name" as "name*"; `cut` says that
    there were too many to keep.
    """

    main: str
    values: dict[str, tuple[str, ...]]
    repeated: tuple[str, ...] = ()
    cut: bool = False

    def first(self, name: str) -> str:
        """The likeliest value, empty where there is none."""
        found = self.values.get(name)
        return found[0] if found else ""


EMPTY: Final = Parameters("", {})


def parse_parameters(value: bytes) -> Parameters:
    """Read a structured field. Linear in the value; at most MAX_PARAMETERS pairs are kept."""
    text = unfold(value)
    if text[:2] == b"=?":
        text = decode_words(text).encode("utf-8", "replace")  # RFC 2047 5 forbids it; some decode before they parse
    if b";" not in text and b"=" not in text:
        return Parameters(_main(text), {})
    odd = _ODD.search(text) is not None
    lists = _lists(text, odd=odd)
    if b"\n" in value and _FOLDED_IN_QUOTES.search(value):
        lists.append(_pairs(_PARAMETER, _FOLD.sub(b"", value)))  # a fold in a quoted string vanishes, blank and all
    values: dict[str, list[str]] = {}
    repeated: list[str] = []
    for pairs in lists:
        joined = _join_sections(pairs, repeated) if any("*" in name for name, _ in pairs) else []
        for name, item in (*pairs, *joined):
            known = values.setdefault(name, [])
            if item not in known:
                if known and not odd:
                    repeated.append(name)
                known.append(item)
    readings = {name: tuple(items) for name, items in values.items()}
    return Parameters(_main(text), readings, tuple(repeated), max(map(len, lists)) >= MAX_PARAMETERS)


def _lists(text: bytes, *, odd: bool) -> list[list[tuple[str, str]]]:
    """The parameters under each reading of the whole field."""
    lists = [_pairs(_PARAMETER, text)]
    if b"=" in text.partition(b";")[0]:
        # Without a main value some readers take the first parameter all the same.
        lists.append(_pairs(_PARAMETER, b";" + text))
        lists.append(_pairs(_LOOSE, text))
    if not odd:
        return lists
    if b"\\" in text:
        # Windows paths are quoted by nobody: keep the reading with the backslashes as well.
        lists.append(_pairs(_PARAMETER, text, escapes=False))
    if b"(" in text:
        lists.append(_pairs(_PARAMETER, _without_comments(text)))
    if b'"' in text.partition(b"=")[0] and (quoted := _QUOTED_MAIN.match(text)):
        lists.append(_pairs(_PARAMETER, text[quoted.end() :]))
    lists.append(_pairs(_LOOSE, text))
    lists.append([(name, item.replace('"', "").replace("\\", "")) for name, item in _pairs(_REST, text)])
    return lists


def _main(text: bytes) -> str:
    """The value before the first semicolon, lower case, without comments."""
    if text[:1] == b"(":
        text = _without_comments(text)
    match = _MAIN.match(text)
    return match[1].decode("latin-1").lower() if match else ""


def _pairs(pattern: re.Pattern[bytes], text: bytes, *, escapes: bool = True) -> list[tuple[str, str]]:
    """Name and value of each parameter as `pattern` sees them; values as latin-1, unquoted, `escapes` undone."""
    pairs: list[tuple[str, str]] = []
    for match in pattern.finditer(text):
        if len(pairs) == MAX_PARAMETERS:
            break
        name, raw = match[1].decode("latin-1").lower(), match[2].strip()
        if raw[:1] == b'"':
            raw = raw[1:-1] if raw[-1:] == b'"' and len(raw) > 1 else raw[1:]
            if escapes and b"\\" in raw:
                raw = _ESCAPE.sub(rb"\1", raw)
        pairs.append((name, raw.decode("latin-1")))
    return pairs


def _without_comments(text: bytes) -> bytes:
    """Cut out parenthesised comments, nested and escaped ones too, but not inside quoted strings."""
    kept: list[bytes] = []
    depth = position = 0
    quoted = False
    for match in re.finditer(rb'\\.|["()]', text):
        token = match[0]
        if token == b'"' and not depth:
            quoted = not quoted
        elif token == b"(" and not quoted:
            if not depth:
                kept.append(text[position : match.start()])
            depth += 1
        elif token == b")" and depth and not quoted:
            depth -= 1
            if not depth:
                position = match.end()
    if not depth:
        kept.append(text[position:])
    return b"".join(kept)


def _join_sections(pairs: list[tuple[str, str]], repeated: list[str]) -> list[tuple[str, str]]:
    """RFC 2231: the values of name*, name*0, name*1* ... under the plain name, in every order a client may take.

    A section that is there twice goes to `repeated`: which of the two comes first nobody knows.
    """
    sections: dict[str, list[tuple[int, bool, str]]] = {}
    seen: dict[tuple[str, int], str] = {}
    for name, item in pairs:
        match = _SECTION.match(name)
        if match:
            number = int(match[2][:_DIGITS]) if match[2] else -1
            if seen.setdefault((match[1], number), item) != item:
                repeated.append(f"{match[1]}*")
            sections.setdefault(match[1], []).append((number, name.endswith("*"), item))
    joined: list[tuple[str, str]] = []
    for name, found in sections.items():
        joined += [(name, _extended(item)) for number, coded, item in found if number < 0 and coded]
        numbered = [part for part in found if part[0] >= 0]
        if numbered:
            # RFC 2231 3: sections may come in any order; a client that takes them as they come is read as well.
            orders = (sorted(numbered, key=lambda part: part[0]), numbered)
            joined += [(name, text) for order in orders for text in _assembled(order)]
    return joined


def _assembled(parts: list[tuple[int, bool, str]]) -> list[str]:
    """Joined sections; the charset stands in the first, or in each where a sender got it wrong."""
    joined = "".join([item for _, _, item in parts])
    if not any(coded for _, coded, _ in parts):
        return [joined]
    return [_extended(joined), "".join([_extended(item) if coded else item for _, coded, item in parts])]


def _extended(item: str) -> str:
    """RFC 2231 4: charset'language'percent-encoded text, with the charset missing where senders forget it."""
    charset, quote, rest = item.partition("'")
    if quote:
        _, quote, rest = rest.partition("'")
    text = rest if quote else item
    return decode(unquote_to_bytes(text.encode("latin-1", "replace")), charset if quote else "")


def names(values: tuple[str, ...]) -> list[str]:
    """File names that a client may show for these parameter values: decoded, cut, without directories."""
    found: dict[str, None] = {}
    for raw in values:
        # A name that is too long is cut at its end by some, in its middle by others.
        item = raw if len(raw) <= MAX_FILENAME else raw[: MAX_FILENAME // 2] + raw[-MAX_FILENAME // 2 :]
        if not item.isascii():
            item = decode(item.encode("latin-1", "replace"), "") if max(item) < "\u0100" else item
        if "=?" in item:
            item = decode_words(item.encode("utf-8", "replace"))
            if "=?" in item:
                item = decode_words(item.encode("utf-8", "replace") + b"?=")  # one that is not closed
        _variants(item, found)
    return list(found)


def _variants(item: str, found: dict[str, None]) -> None:
    """Add the readings of one name: as it is, cut at NUL or semicolon, its last path component, its ends trimmed."""
    cuts = [item.partition(sign)[0] for sign in "\0;" if sign in item]
    if ":" in item[2:]:
        cuts.append(item[:2] + item[2:].partition(":")[0])  # a stream of a file, to Windows
    if not item.isascii() and (plain := unicodedata.normalize("NFKC", item)) != item:
        cuts.append(plain)  # full-width letters and their like
    for text in (item, *cuts):
        base = text.replace("\\", "/").rpartition("/")[2]
        name = _trimmed(base)
        if not name.isprintable():
            if _BIDI.search(name):
                found[name] = None  # what turns a name round is a sign of its own
            name = _trimmed("".join([char for char in name if char.isprintable()]))
        if name:
            found[name] = None


def _trimmed(name: str) -> str:
    """A name without what clients drop: quotes and blanks; Windows drops dots at the end when the file is saved."""
    return name.lstrip(" \t'\"").rstrip(" \t'\".")
