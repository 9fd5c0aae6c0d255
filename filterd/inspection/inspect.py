"""One message in, all facts about it out: what the inspector's child does.

Every stage has its own border: a bug met by hostile mail in one of them costs that stage's facts, is said as
UNSCANNABLE_CRASH and in `problems`, and never reads as clean; the other stages still run.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from filterd import arc, dkim
from filterd.classifier import Features, Receiving, features_of
from filterd.classifier.digest import digest_of
from filterd.classifier.reading import text_of
from filterd.classifier.views import Text
from filterd.domains.urls import Url, parse_url
from filterd.heuristics import File, Phrases, Subject, extract, run_all
from filterd.heuristics.mentioned import mentioned
from filterd.heuristics.urls import hosts_of
from filterd.html import Page
from filterd.inspection.streams import Streams, StreamScanner, Texts
from filterd.inspection.words import words_of
from filterd.ipc.messages import MAX_HEADER
from filterd.mime import symbols
from filterd.mime.address import read_author
from filterd.mime.header import unfold
from filterd.mime.limits import MAX_FIELDS
from filterd.mime.message import Message
from filterd.mime.symbols import clip, finding
from filterd.mime.tree import parse
from filterd.mime.words import decode_words
from filterd.model.authentication import ArcFacts, SignatureFacts
from filterd.model.inspection import Author, Classified, Inspection, InspectionJob, RuleHit
from filterd.model.message import HeaderField, header_block
from filterd.model.report import Finding
from filterd.regex.engine import MAX_ITEMS, Regexes, Seen

MAX_SUBJECT: Final = 1_000  # characters of the Subject kept
MAX_PROBLEMS: Final = 50
MAX_SLOW: Final = 50  # names of rule files
MAX_INTACT: Final = MAX_HEADER // 2  # bytes of header fields, their names and values; what is larger may have been cut
MAX_FIELD: Final = 20_000  # bytes of a header field that regex rules see
MAX_URL_TEXT: Final = 500_000  # characters of all URLs listed; real mail has some thousands


class Scanner(StreamScanner, Protocol):
    """What YARA offers here."""

    @property
    def rule_set(self) -> str:
        """Names the rules that are loaded."""


class Classifier(Protocol):
    """What says whether a message is spam."""

    def ready(self) -> bool:
        """Whether it knows enough to be asked at all."""

    def classify(self, features: Features, domain: str = "") -> Classified | None:
        """What it makes of a message with these features for that recipient domain; None where it knows too little."""

    def reasons(self, text: Text, most: int) -> tuple[str, ...]:
        """What weighed most with it, as lines."""


@dataclass(slots=True)
class _Work:
    """What has been found so far."""

    job: InspectionJob
    findings: list[Finding] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    ms: dict[str, float] = field(default_factory=dict)

    def stage(self, name: str) -> "_Stage":
        """The border of one stage: times it and turns an exception into findings."""
        return _Stage(self, name)

    def problem(self, text: str) -> None:
        """Keep words about what was not looked at."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(clip(text))


class _Stage:
    """What `_Work.stage` promises; a class, for a generator costs four times as much and a message has forty."""

    __slots__ = ("_name", "_start", "_work")

    def __init__(self, work: _Work, name: str) -> None:
        self._work = work
        self._name = name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        ms = self._work.ms
        ms[self._name] = ms.get(self._name, 0.0) + (time.perf_counter() - self._start) * 1000
        if error is None:
            return False
        if not isinstance(error, Exception):  # the border named in the module's docstring lets only those pass
            return False
        self._work.findings.append(finding(symbols.UNSCANNABLE_CRASH, self._name, type(error).__name__))
        self._work.problem(f"{self._name}: {type(error).__name__}: {error}")
        return True


def inspect(  # noqa: PLR0913  # one for each thing that is loaded once
    job: InspectionJob,
    body: memoryview,
    scanner: Scanner | None,
    *,
    phrases: Phrases | None = None,
    passwords: bool = True,
    receiving: Receiving | None = None,
    classifier: Classifier | None = None,
    regexes: Regexes | None = None,
    prepare: Callable[..., tuple[SignatureFacts, ...]] | None = None,
) -> Inspection:
    """Read one message. Never raises; a `body` shorter than the job says is the analysed prefix of a longer one.

    Without a scanner or regexes no such rules are asked, without `receiving` no features made, without a classifier it
    is not asked; without `passwords` encrypted archives stay closed. `prepare` stands for dkim.prepare where a test
    wants another.
    """
    work = _Work(job)
    message = Message(job.fields, body)
    author = Author()
    if len(body) < job.body_size:
        work.findings.append(finding(symbols.UNSCANNABLE_SIZE, f"{len(body)} of {job.body_size} bytes"))
    with work.stage("mime"):
        message = parse(job.fields, body)
        work.findings += message.findings
    with work.stage("author"):
        author = read_author(message.index.get(b"from", ()))
        if author.ambiguous:
            work.findings.append(finding(symbols.AMBIGUOUS_FROM, author.ambiguous, *message.index.get(b"from", ())[:2]))
    signatures, chain = _signed(work, body, prepare or dkim.prepare)
    streams = Streams(job, scanner, work.stage, words_of(message) if passwords else tuple, message.decoded)
    block = b""
    with work.stage("header"):
        block = header_block(job.fields)
        streams.header(block)
    for part in message.parts:
        with work.stage("parts"):
            streams.part(part)
    with work.stage("message"):
        streams.message(block, body)
    work.findings += streams.findings
    texts = Texts()
    with work.stage("text"):
        texts = streams.texts
        work.findings += [finding(symbols.UNSCANNABLE_HTML, page.cause) for page in texts.pages if page.cause][:1]
    addresses: tuple[str, ...] = ()
    with work.stage("urls"):
        links = [link.target for page in texts.pages for link in page.links] + texts.links
        shown = [*texts.plain, *[page.text for page in texts.pages]]
        addresses = mentioned(message.first(b"reply-to"), links, shown)
    subject = _heuristics(work, message, author, texts, tuple(streams.files), phrases or Phrases())
    matched: tuple[RuleHit, ...] = ()
    if regexes is not None:
        with work.stage("regex"):
            matched = regexes.find(_seen(message, subject, streams.files, body))
    hosts = hosts_of(subject.urls)
    opinion = _Opinion()
    if receiving is not None and (job.features or (classifier is not None and classifier.ready())):
        with work.stage("classifier"):
            opinion = _opinion(work, body, subject, texts, hosts, receiving, classifier)
    listed = _listed(subject.urls)
    return Inspection(
        author=author,
        signatures=signatures,
        parts=tuple(streams.facts),
        hits=(*streams.hits, *matched),
        slow=tuple(streams.slow)[:MAX_SLOW],
        urls_cut=subject.urls_cut or len(listed) < len(subject.urls),
        urls=listed,
        hosts=hosts,
        addresses=tuple([clean(address) for address in addresses]),
        findings=tuple(dict.fromkeys(work.findings)),
        subject=subject.subject,
        message_id=message.first(b"message-id")[:MAX_SUBJECT].decode("utf-8", "replace"),
        rule_set=scanner.rule_set if scanner is not None else "",
        problems=tuple(work.problems + streams.problems),
        ms={name: round(value, 3) for name, value in work.ms.items()},
        arc=chain,
        features=opinion.features,
        digest=opinion.digest,
        classified=opinion.classified,
    )


@dataclass(frozen=True, slots=True)
class _Opinion:
    """What concerns the classifier."""

    features: bytes = b""
    digest: bytes = b""
    classified: Classified | None = None


def _opinion(
    work: _Work,
    body: memoryview,
    subject: Subject,
    texts: Texts,
    hosts: tuple[str, ...],
    receiving: Receiving,
    classifier: Classifier | None,
) -> _Opinion:
    """Make the features; ask the classifier where there is one, and why where the job wants to know."""
    job = work.job
    looked_at = (subject.message, subject.subject, texts.plain, texts.pages, hosts, receiving)
    found = features_of(*looked_at, symbols=[one.symbol for one in work.findings])
    classified = None if classifier is None else classifier.classify(found, job.domain)
    if classifier is not None and classified is not None and job.reasons:
        classified = replace(classified, reasons=classifier.reasons(text_of(*looked_at), job.reasons))
    if not job.features:
        return _Opinion(classified=classified)
    return _Opinion(found.pack(), digest_of(job.fields, body), classified)


def _signed(
    work: _Work, body: memoryview, prepare: Callable[..., tuple[SignatureFacts, ...]]
) -> tuple[tuple[SignatureFacts, ...], ArcFacts | None]:
    """What is signed, by DKIM and by ARC: the body is hashed once for both."""
    signatures: tuple[SignatureFacts, ...] = ()
    chain: ArcFacts | None = None
    hashed = dkim.HashedBody(body, whole=len(body) >= work.job.body_size and _intact(work.job.fields))
    with work.stage("dkim"):
        signatures = prepare(work.job.fields, hashed, now=work.job.now)
    with work.stage("arc"):
        chain = arc.prepare(work.job.fields, hashed, now=work.job.now)
        if chain.instance and not hashed.whole:
            chain = None  # a part of the message verifies nothing, and refutes nothing
    return signatures, chain


def _intact(fields: tuple[HeaderField, ...]) -> bool:
    """Whether these are the header's fields as they came: of too many the last ones arrive in one piece, or cut off."""
    size = sum([len(name) + len(value) for name, value in fields])
    return len(fields) <= MAX_FIELDS and size <= MAX_INTACT


def _heuristics(
    work: _Work, message: Message, author: Author, texts: Texts, files: tuple[File, ...], phrases: Phrases
) -> Subject:
    """Gather the subject of the heuristics and run them."""
    urls: tuple[Url, ...] = ()
    labels: tuple[tuple[Url, str], ...] = ()
    cut = False
    title = visible = ""
    with work.stage("urls"):
        title = clean(decode_words(message.first(b"subject"))[:MAX_SUBJECT])
        codes = [text for text, _ in texts.codes]
        urls, cut = extract((*texts.plain, *[page.text for page in texts.pages], *codes), _targets(texts, codes))
        labels = tuple(_labels(texts.pages))
        visible = "\n".join([*texts.plain, *[page.text for page in texts.pages]])
    subject = Subject(
        message,
        author,
        title,
        tuple(texts.plain),
        tuple(texts.pages),
        visible,
        urls,
        labels,
        cut,
        files,
        work.job.now,
        work.job.sender,
        work.job.helo,
        work.job.client_address,
        phrases,
        tuple(texts.codes),
    )
    with work.stage("heuristics"):
        found, failed = run_all(subject)
        work.findings += found
        for text in failed:
            work.findings.append(finding(symbols.UNSCANNABLE_CRASH, "heuristics", text))
            work.problem(text)
    return subject


def _seen(message: Message, subject: Subject, files: Iterable[File], body: memoryview) -> Seen:
    """What the operator's regular expressions are searched in."""

    def header(name: bytes) -> list[str]:
        return [clean(decode_words(unfold(value[:MAX_FIELD]))) for value in message.values(name)]

    return Seen(
        header,
        subject.subject,
        clean(subject.visible),
        body,
        [clean(url.text) for url in subject.urls[:MAX_ITEMS]],
        [clean(name) for file in files for name in file.names][:MAX_ITEMS],
    )


def _targets(texts: Texts, codes: list[str]) -> Iterator[str]:
    """Everything that documents and codes lead to or load."""
    yield from texts.links
    yield from codes
    for page in texts.pages:
        if page.base:
            yield page.base
        yield from [link.target for link in page.links]
        yield from page.forms
        yield from [source for source in page.sources if source[:5].lower() != "data:"]
        yield from [content.rpartition("=")[2].strip("'\" ") for content in page.refresh]


def _labels(pages: list[Page]) -> Iterator[tuple[Url, str]]:
    """Links whose visible text looks like a host or URL, with where they lead."""
    for page in pages:
        for link in page.links:
            if "." in link.label and not link.target.startswith(("mailto:", "#")):
                url = parse_url(link.target)
                if url is not None:
                    yield url, link.label


def _listed(urls: tuple[Url, ...]) -> tuple[str, ...]:
    """The URLs as written, as far as there is room for them: their hosts are listed all."""
    listed: list[str] = []
    left = MAX_URL_TEXT
    for url in urls:
        left -= len(url.text)
        if left < 0:
            break
        listed.append(clean(url.text))
    return tuple(listed)


def clean(text: str) -> str:
    """Text that can be encoded: lone surrogates replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
