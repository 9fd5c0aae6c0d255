"""One HTML document as facts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from filterd.html.legible import unreadable
from filterd.html.shape import MAX_BYTES, pieces, too_deep, too_many_copies, too_wide, without_formatting

MAX_LINKS: Final = 10_240  # of one document, as many URLs as one message may have
MAX_TEXT: Final = 1_000_000  # characters of visible text kept
MAX_LABEL: Final = 500  # characters of a link's visible text
MAX_ITEMS: Final = 1_000  # forms, scripts, images, data: URLs kept each
_MAX_NODES: Final = 200  # looked at for one text: links may lie within links, each over the same nodes

_LINKED: Final = "a[href],area[href],x-a[href]"  # x-a: see without_formatting
_ACTIVE: Final = "form,script,iframe,object,embed,meta[http-equiv],base[href],input"
_SOURCES: Final = "[src],[background]"
_INVISIBLE: Final = "script,style,head,title,template,noscript"
_SOME: Final = r"(?![.0-9]*[1-9])"  # a zero that is not the beginning of 0.9
# Each begins with a literal, which makes the search over a whole document many times faster; text is lower case.
_HIDING: Final = tuple(
    [
        re.compile(pattern)
        for pattern in (
            r"display\s{0,8}:\s{0,8}none",
            r"visibility\s{0,8}:\s{0,8}hidden",
            rf"font-size\s{{0,8}}:\s{{0,8}}0{_SOME}",
            rf"opacity\s{{0,8}}:\s{{0,8}}0{_SOME}",
            rf"max-height\s{{0,8}}:\s{{0,8}}0{_SOME}",
            r"text-indent\s{0,8}:\s{0,8}-\d{3}",
        )
    ]
)
_TAGS: Final = re.compile(r"<[^<>]*+>?")
_HREF: Final = re.compile(
    r"(?:href|src|action)\s{0,8}=\s{0,8}(?:\"([^\"]{1,2000})|'([^']{1,2000})|([^\s\"'>]{1,2000}))", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Link:
    """Where a link leads and what a person sees of it; both hostile text."""

    target: str
    label: str


@dataclass(frozen=True, slots=True)
class Page:
    """What one document shows and holds.

    `text` is the visible text, elements parted by line feeds; `hidden` the text that inline styles hide. `sources` are
    addresses loaded without a click. `tiny` and `faint` count characters too small to be read, and of the colour they
    stand on. `cause` says why it could not be parsed, and then the facts come from a raw strip.
    """

    text: str = ""
    title: str = ""
    hidden: str = ""
    links: tuple[Link, ...] = ()
    forms: tuple[str, ...] = ()
    passwords: int = 0
    scripts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    refresh: tuple[str, ...] = ()
    frames: int = 0
    images: int = 0
    base: str = ""
    cause: str = ""
    tiny: int = 0
    faint: int = 0


def read_page(html: str) -> Page:
    """Parse a document within the limits. Never raises: what cannot be parsed is stripped, with `cause` set."""
    data = html.encode("utf-8", "replace")
    cause = ""
    if len(data) > MAX_BYTES:
        cause = f"larger than {MAX_BYTES} bytes"
    elif too_deep(data):
        cause = "nested too deeply"
    elif too_wide(data):
        cause = "too many attributes in one tag"
    if cause:
        return _stripped(html[:MAX_BYTES], cause)
    try:
        if too_many_copies(data):
            data = without_formatting(data)
        source = html.lower()
        hides = _hides(source)
        pages = [_parsed(piece, hides=hides) for piece in pieces(data)]
        tiny, faint = unreadable(source)
        page = pages[0] if len(pages) == 1 else _joined(pages, html)
        return replace(page, tiny=tiny, faint=faint) if tiny or faint else page
    except (SelectolaxError, RuntimeError, ValueError, MemoryError) as error:
        return _stripped(html[:MAX_BYTES], f"{type(error).__name__}: {error}")


def _joined(pages: list[Page], html: str) -> Page:
    """One page of several pieces; what a cut has hidden is found by a look without understanding."""
    links = [link for page in pages for link in page.links]
    known = {link.target for link in links}.union(*[(*page.forms, *page.sources) for page in pages])
    links += dict.fromkeys([link for link in _stripped(html, "").links if link.target not in known])
    return Page(
        text="\n".join([page.text for page in pages])[:MAX_TEXT],
        title=next((page.title for page in pages if page.title), ""),
        hidden="\n".join([page.hidden for page in pages if page.hidden])[:MAX_TEXT],
        links=tuple(links[:MAX_LINKS]),
        forms=_first(MAX_ITEMS, [page.forms for page in pages]),
        passwords=sum(page.passwords for page in pages),
        scripts=_first(MAX_ITEMS, [page.scripts for page in pages]),
        sources=_first(MAX_LINKS, [page.sources for page in pages]),
        refresh=_first(MAX_ITEMS, [page.refresh for page in pages]),
        frames=sum(page.frames for page in pages),
        images=sum(page.images for page in pages),
        base=next((page.base for page in pages if page.base), ""),
    )


def _first(most: int, groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple([item for group in groups for item in group][:most])


def _parsed(data: bytes, *, hides: bool) -> Page:
    """Facts from the tree."""
    parser = LexborHTMLParser(data)
    body = parser.body
    if body is None:
        return Page()
    links = _links(parser.css(_LINKED)[:MAX_LINKS], len(data))
    facts = _active(parser.css(_ACTIVE)[:MAX_LINKS])
    loaded = parser.css(_SOURCES)[:MAX_LINKS]
    sources = [node.attributes.get("src") or node.attributes.get("background") or "" for node in loaded]
    heading = parser.css_first("title", default=None)
    title = _text(heading, "", MAX_LABEL).strip() if heading is not None else ""
    hidden = _take_hidden(parser) if hides else ""
    for node in parser.css(_INVISIBLE):
        if node.tag != "head" and node.parent is not None:
            node.decompose()
    return Page(
        text=body.text(separator="\n")[:MAX_TEXT],
        title=title,
        hidden=hidden,
        links=tuple(links),
        forms=tuple(facts["form"]),
        passwords=len(facts["password"]),
        scripts=tuple(facts["script"]),
        sources=tuple([source for source in sources if source]),
        refresh=tuple(facts["refresh"]),
        frames=len(facts["frame"]),
        images=sum(1 for node in loaded if node.tag == "img"),
        base=facts["base"][0] if facts["base"] else "",
    )


def _active(nodes: list[LexborNode]) -> dict[str, list[str]]:
    """What a document may do by itself: forms, scripts, frames, refreshes."""
    left = MAX_TEXT
    found: dict[str, list[str]] = {key: [] for key in ("form", "password", "script", "frame", "refresh", "base")}
    for node in nodes:
        tag, attributes = node.tag, node.attributes
        if tag == "form":
            found["form"].append(attributes.get("action") or "")
        elif tag == "script":
            found["script"].append(attributes.get("src") or _text(node, "", left))
            left -= len(found["script"][-1])
        elif tag == "input":
            if (attributes.get("type") or "").lower() == "password":
                found["password"].append("")
        elif tag == "meta":
            if (attributes.get("http-equiv") or "").strip().lower() == "refresh":
                found["refresh"].append(attributes.get("content") or "")
        elif tag == "base":
            found["base"].append(attributes.get("href") or "")
        else:
            found["frame"].append(attributes.get("src") or attributes.get("data") or "")
    return {key: items[:MAX_ITEMS] for key, items in found.items()}


def _links(nodes: list[LexborNode], size: int) -> list[Link]:
    """Where links lead, with what is seen of them; `size` is the document's."""
    links = []
    for node in nodes:
        # Links that lie within links have the same text over and over: no more than all of it is read at full length.
        label = node.text(separator=" ") if size > 0 else _text(node, " ", MAX_LABEL)
        size -= len(label)
        links.append(Link((node.attributes.get("href") or "").strip(), label[:MAX_LABEL].strip()))
    return links


def _text(node: LexborNode, separator: str, most: int) -> str:
    """The beginning of an element's text."""
    found: list[str] = []
    size = 0
    for count, inner in enumerate(node.traverse(include_text=True)):
        if size >= most or count == _MAX_NODES:
            break
        if inner.tag == "-text":
            found.append(inner.text_content or "")
            size += len(found[-1]) + len(separator)
    return separator.join(found)[: max(most, 0)]


def _hides(style: str) -> bool:
    """True where a style, in lower case, keeps text from being seen."""
    return any(pattern.search(style) for pattern in _HIDING)


def _take_hidden(parser: LexborHTMLParser) -> str:
    """The text of elements that their own style hides; they leave the tree, so that the rest is what is seen."""
    pieces: list[str] = []
    size = 0
    hiding = [node for node in parser.css("[style]") if _hides((node.attributes.get("style") or "").lower())]
    # Innermost last: taking an outer element away would free those inside it.
    for node in reversed(hiding):
        if node.tag in ("body", "html") or node.parent is None:
            continue
        text = node.text(separator=" ").strip()
        if text and size < MAX_TEXT:
            pieces.append(text)
            size += len(text)
        node.decompose()
    return "\n".join(reversed(pieces))


def _stripped(html: str, cause: str) -> Page:
    """Without understanding the document: all text between tags, all that looks like a link."""
    links: list[Link] = []
    for match in _HREF.finditer(html):
        if len(links) == MAX_LINKS:
            break
        links.append(Link(match[1] or match[2] or match[3], ""))
    return Page(text=_TAGS.sub("\n", html)[:MAX_TEXT], links=tuple(links), cause=cause)
