"""What inspectors read with for `filterd quarantine show` and `campaigns`: a message as a person would see it.

Texts and links of the body's parts, without what is packed into others, and the sketch of it all (likeness.py). Nothing
is asked of rules, nothing is judged: that was done when the message came.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from filterd.heuristics.urls import extract, hosts_of
from filterd.html import Page, read_page
from filterd.inspection.child import Reader
from filterd.inspection.inspect import MAX_SUBJECT, clean
from filterd.inspection.likeness import likeness
from filterd.ipc.messages import NurserySettings
from filterd.mime.charset import decode
from filterd.mime.message import Message, Part
from filterd.mime.tree import parse
from filterd.mime.words import decode_words
from filterd.model.inspection import Inspection, InspectionJob, Shown, ShownLink

MAX_TEXTS: Final = 8  # parts that are shown; a mail has two, and a forwarded one as many again
MAX_TEXT: Final = 60_000  # characters of one of them
MAX_SOURCE: Final = 1_000_000  # bytes of one that are read for that
MAX_LINKS: Final = 500  # of a message that are shown
MAX_CONTAINERS: Final = 100  # of a message that are shown
MAX_TARGET: Final = 2_000  # characters of where a link leads
MAX_LABEL: Final = 200  # characters of what is shown of it
_HTML: Final = "text/html"


def make_reader(_settings: NurserySettings) -> Reader:
    """Nothing needs to be loaded."""
    return Reader(render)


def render(job: InspectionJob, body: memoryview) -> Inspection:
    """Read one message. What it raises is told to who asked: nothing but this view is lost."""
    message = parse(job.fields, body)
    subject = clean(decode_words(message.first(b"subject"))[:MAX_SUBJECT])
    texts: list[tuple[str, str]] = []
    links: dict[ShownLink, None] = {}
    for part in _bodies(message):
        page = _page(part)
        texts.append((part.path, clean(page.text[:MAX_TEXT])))
        for link in page.links:
            links[ShownLink(clean(link.target[:MAX_TARGET]), clean(" ".join(link.label.split())[:MAX_LABEL]))] = None
        for form in page.forms:
            links[ShownLink(clean(form[:MAX_TARGET]), "(a form)")] = None
    urls, _ = extract([text for _, text in texts], [link.target for link in links])
    known = {text for link in links for text in (link.target, link.label)}
    bare = [ShownLink(clean(url.text[:MAX_TARGET]), "") for url in urls if url.text not in known]
    sketch = likeness(subject, "\n".join([text for _, text in texts]), hosts_of(urls), _files(message))
    shown = Shown(message.containers[:MAX_CONTAINERS], tuple(texts), tuple([*links, *bare][:MAX_LINKS]), sketch)
    return Inspection(subject=subject, shown=shown)


def _bodies(message: Message) -> Iterator[Part]:
    """The parts that are shown as the message itself."""
    count = 0
    for part in message.parts:
        if part.kind != "body" or part.disposition not in {"", "inline"} or part.filenames:
            continue
        if part.content_type.startswith("text/") and count < MAX_TEXTS:
            count += 1
            yield part


def _page(part: Part) -> Page:
    """What is seen of a part that is text."""
    text = decode(part.contents()[0][:MAX_SOURCE], part.charset)
    return read_page(text) if part.content_type == _HTML else Page(text)


def _files(message: Message) -> Iterator[str]:
    """Digests of what is no text, as it was sent: encoded, which within a campaign is the same."""
    for part in message.parts:
        if part.kind == "body" and (part.filenames or not part.content_type.startswith("text/")):
            yield hashlib.sha256(part.raw).hexdigest()
