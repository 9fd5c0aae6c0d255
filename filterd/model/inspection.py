"""What a front asks an inspector, and the facts that come back. Plain values: they cross a socket."""

from dataclasses import dataclass, field
from typing import Final

from filterd.model.authentication import ArcFacts, SignatureFacts
from filterd.model.message import HeaderField
from filterd.model.report import Finding

RULE_PREFIX: Final = "YARA_"  # of every YARA rule's symbol: no rule speaks in the name of a check
REGEX_PREFIX: Final = "REGEX_"  # the same for rules that are regular expressions
RULE_PREFIXES: Final = (RULE_PREFIX, REGEX_PREFIX)


@dataclass(frozen=True, slots=True)
class InspectionJob:
    """One message to read; its body comes beside the job as a file descriptor.

    `seconds` is how long the inspector may live with it; what is known at MAIL is offered to YARA as externals. A scan
    that only rule files in `excused` could not finish is as good as finished.
    """

    id: str
    fields: tuple[HeaderField, ...]
    body_size: int
    seconds: float
    now: float
    client_address: str = ""
    sender: str = ""
    helo: str = ""
    trust: str = "stranger"
    spf: str = "unknown"  # the result for MAIL FROM, where it has come by then
    excused: tuple[str, ...] = ()
    first_contact: str = "unknown"  # "true" where neither MAIL FROM nor its domain has sent mail before, else "false"
    features: bool = False  # whether the classifier's features are wanted, to learn from
    domain: str = ""  # of the recipients, where all have the same
    reasons: int = 0  # features that are wanted as text, those that weighed most with the classifier


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address of the From field: `domain` in A-labels, lower case; `display` decoded, hostile text."""

    local_part: str
    domain: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Author:
    """The From field(s) as read; `ambiguous` says why they have two readings or none, empty where there is just one."""

    mailboxes: tuple[Mailbox, ...] = ()
    ambiguous: str = ""


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A YARA or regex rule that matched a part; `namespace` is the rule's file, `meta` what its author declared.

    `symbol` begins with one of RULE_PREFIXES; what does not is not counted, whoever sent it.
    """

    rule: str
    namespace: str
    symbol: str
    part: str
    strings: tuple[str, ...] = ()
    meta: dict[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PartFacts:
    """A MIME part (path 1.2) or an unpacked member (path 1.2/inner.exe); `size` is in decoded bytes."""

    path: str
    content_type: str
    detected_type: str
    filename: str
    size: int
    sha256: str
    depth: int
    encrypted: bool = False
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Classified:
    """What the classifier makes of a message: its margin (above 0: spam), and the probability that this stands for.

    `layer` is the recipient domain's part of the margin; `model` names the model, which has learnt so many messages.
    `reasons` are lines for a person, made where the job wanted them; they quote hostile text.
    """

    margin: float
    probability: float
    layer: float = 0.0
    model: str = ""
    spam: int = 0
    ham: int = 0
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShownLink:
    """Where a link leads, and what a reader sees in its place, empty where that is the address itself."""

    target: str
    label: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as a person would see it; all of it hostile text.

    `containers` are multiparts and messages within, each with its path and type, `texts` the parts that are shown, each
    with its path; `likeness` is a sketch of the message, comparable with others.
    """

    containers: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[str, str], ...] = ()
    links: tuple[ShownLink, ...] = ()
    likeness: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything the inspector found. `findings` hold heuristics, AMBIGUOUS_* and UNSCANNABLE_* symbols.

    `arc` is None where the chain could not be read.
    """

    author: Author = Author()
    signatures: tuple[SignatureFacts, ...] = ()
    parts: tuple[PartFacts, ...] = ()
    hits: tuple[RuleHit, ...] = ()
    urls: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()  # e-mail addresses of Reply-To, links and text, without the author's
    findings: tuple[Finding, ...] = ()
    subject: str = ""
    message_id: str = ""
    rule_set: str = ""
    problems: tuple[str, ...] = ()  # rule files left out, scans cut short: what was not looked at, in words
    ms: dict[str, float] = field(default_factory=dict)
    arc: ArcFacts | None = field(default_factory=ArcFacts)
    slow: tuple[str, ...] = ()  # rule files that did not come to an end in time
    features: bytes = b""  # the classifier's, packed, where the job wanted them
    digest: bytes = b""  # with them: the message's name among what was learnt
    classified: Classified | None = None  # None where there is no model that has learnt enough
    urls_cut: bool = False  # `urls` are not all that there are; `hosts` have those of all that were read
    shown: Shown | None = None  # how it looks, where that alone was asked for
