"""Facts that fit a frame, whatever a message was made to produce."""

from dataclasses import replace
from typing import Final

from filterd.ipc.frames import MAX_FRAME
from filterd.ipc.messages import encode_facts
from filterd.mime.symbols import UNSCANNABLE_SIZE, finding
from filterd.model.inspection import Author, Inspection

# What is kept of facts that are too many, far above what real mail has.
KEPT_PARTS: Final = 100
KEPT_RULES: Final = 5  # names of rules with one part
KEPT_HOSTS: Final = 1_000
KEPT_HITS: Final = 1_000
KEPT_FINDINGS: Final = 200
KEPT_MAILBOXES: Final = 10
KEPT_DISPLAY: Final = 1_000  # characters of a display name
KEPT_PROBLEMS: Final = 20


def encode_fitting(facts: Inspection) -> bytes:
    """The facts as a payload; where they are too long, one of each kind of finding and hit and the first of the rest.

    Only a message made for it gets there, and it is said as UNSCANNABLE_SIZE: nobody downstream has seen all of it.
    """
    payload = encode_facts(facts)
    return payload if len(payload) <= MAX_FRAME else encode_facts(_shortened(facts, len(payload)))


def _shortened(facts: Inspection, size: int) -> Inspection:
    hits = {hit.symbol: replace(hit, strings=()) for hit in reversed(facts.hits)}
    findings = {found.symbol: found for found in reversed(facts.findings)}
    mailboxes = [replace(box, display=box.display[:KEPT_DISPLAY]) for box in facts.author.mailboxes[:KEPT_MAILBOXES]]
    too_long = finding(UNSCANNABLE_SIZE, f"facts of {size} bytes")
    return replace(
        facts,
        author=Author(tuple(mailboxes), facts.author.ambiguous),
        parts=tuple([replace(part, rules=part.rules[:KEPT_RULES]) for part in facts.parts[:KEPT_PARTS]]),
        hits=tuple(list(hits.values())[::-1][:KEPT_HITS]),
        urls=(),
        urls_cut=True,
        hosts=facts.hosts[:KEPT_HOSTS],
        findings=(too_long, *list(findings.values())[::-1][:KEPT_FINDINGS]),
        problems=facts.problems[:KEPT_PROBLEMS],
    )
