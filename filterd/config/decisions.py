"""The tables of filterd.toml that say what becomes of a message and what the sender is told."""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, PlainSerializer, model_validator

from filterd.config.fields import Section, key
from filterd.config.results import ResultTable
from filterd.model.session import TrustClass
from filterd.model.verdict import MAX_REPLY_TEXT

INSPECTOR: Final = "inspector"  # stands for all that is read in the inspector, beside the names of checks
PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
LONGEST_ID: Final = "0" * 26  # a whole ULID, longer than the public form


class OnUnknown(StrEnum):
    """What becomes of a message where a check could not be made; the mildest leaves it to the other checks."""

    CONTINUE = "continue"
    ADD_HEADER = "add_header"
    DEFER = "defer"
    QUARANTINE = "quarantine"


def _per_class(value: object) -> object:
    """A word alone means all trust classes; a table names them, the others keep the default."""
    if not isinstance(value, dict):
        raise ValueError("expected a table: check = word, or check = { trust class = word }")  # noqa: TRY004  # for pydantic
    return {check: _words(str(check), given) for check, given in value.items()}


def _words(check: str, given: object) -> dict[str, object]:
    classes = [str(trust) for trust in TrustClass]
    table = dict(given.items()) if isinstance(given, dict) else dict.fromkeys(classes, given)
    allowed = (
        [str(OnUnknown.DEFER), str(OnUnknown.QUARANTINE)] if check == INSPECTOR else [str(word) for word in OnUnknown]
    )
    for trust, word in table.items():
        if trust not in classes:
            raise ValueError(f"{check}: expected a trust class ({', '.join(classes)}), got {trust!r}")
        if word not in allowed:
            # A message nobody could read is never let through: that would be the way around every check.
            raise ValueError(f"{check}: expected one of {', '.join(allowed)}, got {word!r}")
    return table


UnknownTable = Annotated[
    dict[str, dict[TrustClass, OnUnknown]],
    BeforeValidator(_per_class),
    PlainSerializer(lambda table: {check: {str(t): str(w) for t, w in row.items()} for check, row in table.items()}),
]


class Actions(Section):
    """Scores to actions, and what "could not be checked" means."""

    reject: float = key(15.0, "Score from which a message is refused.", "points", gt=0)
    quarantine: float = key(10.0, "Score from which a message is held.", "points", gt=0)
    add_header: float = key(6.0, "Score from which a message is tagged.", "points", gt=0)
    greylist: float | None = key(
        None,
        "Score from which mail of strangers that nobody answers for is asked to come again ([greylist]); 4 is a good"
        " value. Absent: never.",
        "points",
        gt=0,
    )
    observe: bool = key(False, "Compute and log everything, enforce nothing.")
    dmarc_reject: Literal["reject", "quarantine", "add_header", "score"] = key(
        "quarantine",
        "What becomes of a message whose author domain publishes p=reject and which fails DMARC. RFC 9989 wants no"
        " rejection on that alone, so only you can ask for it; score: it counts its points and no more.",
    )
    unscannable: Literal["quarantine", "defer", "reject"] = key(
        "quarantine", "What becomes of a message that cannot be read whole: it is never accepted."
    )
    on_unknown: UnknownTable = key(
        {},
        "What becomes of a message where a check could not be made, by check, and if you like by trust class:"
        ' `dnsbl = "continue"`, `spf = { stranger = "defer" }`. Words: continue, add_header, defer, quarantine; default'
        " continue. `inspector` (a reader of content died or overran): defer or quarantine; default defer, and held the"
        " second time.",
    )

    on_result: ResultTable = key(
        {},
        "What a result of spf, dkim, dmarc, arc or iprev leads to at least, by trust class if you like:"
        ' `spf = { fail = "quarantine", softfail = "add_header" }`, `dkim = { fail = { stranger = "add_header" } }`.'
        " Words: score (the default: its points count and no more), add_header, defer, quarantine, reject. SPF's result"
        " is that of the envelope sender; DKIM's is pass where one signature passes, else the first one's; a failure of"
        " DMARC that a forwarder or mailing list explains is none.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "Actions":
        if not self.add_header <= self.quarantine <= self.reject:
            raise ValueError("expected add_header <= quarantine <= reject")
        if self.greylist is not None and self.greylist >= self.quarantine:
            raise ValueError("greylist: expected a score below quarantine: what is held need not come again")
        return self

    def unknown(self, check: str, trust: TrustClass) -> OnUnknown:
        """What the operator wants where `check` could not be made for a client of this class."""
        default = OnUnknown.DEFER if check == INSPECTOR else OnUnknown.CONTINUE
        row = self.on_unknown.get(check)
        return default if row is None else row.get(trust, default)


class Replies(Section):
    """What the client is told; `{id}` is the message's public id, `{contact}` is set here. Plain ASCII, one line."""

    contact: str = key("postmaster", "Where a sender may ask: a mail address or a web page.")
    reject: str = key("Message refused; ask {contact} about {id}", "Refused by score or content.")
    reject_authentication: str = key(
        "Sender not authenticated; ask {contact} about {id}", "Refused because SPF, DKIM or DMARC failed."
    )
    reject_listed: str = key("Client host refused; ask {contact} about {id}", "Refused because of block lists.")
    defer: str = key("Please try again later; id {id}", "To be tried again.")
    greylist: str = key(
        "Greylisted, please try again in a few minutes; id {id}", "To be tried again, by `[actions] greylist`."
    )
    limited: str = key("Too many messages for now, please try again later; id {id}", "To be tried again, by [rates].")

    @model_validator(mode="after")
    def _sendable(self) -> "Replies":
        if not self.contact:
            raise ValueError("contact: expected an address, got an empty string")
        for name in type(self).model_fields:
            template = getattr(self, name)
            unknown = set(PLACEHOLDER.findall(template)) - {"id", "contact"}
            if unknown:
                raise ValueError(f"{name}: expected {{id}} and {{contact}} only, got {{{min(unknown)}}}")
            text = self.fill(template, LONGEST_ID)
            if not text.isascii() or not text.isprintable() or len(text) > MAX_REPLY_TEXT:
                raise ValueError(f"{name}: expected one line of printable ASCII of at most {MAX_REPLY_TEXT} characters")
        return self

    def fill(self, template: str, public_id: str) -> str:
        """A template with its placeholders replaced."""
        return template.replace("{contact}", self.contact).replace("{id}", public_id)


class Limits(Section):
    """Bounds an operator may have to move. Reaching one is a finding; the others are constants beside the code."""

    message_bytes: int = key(
        50_000_000, "Bytes of a message that are analysed; all of it is kept.", "bytes", ge=100_000
    )
    dns_queries: int = key(128, "Lookups one message may cause.", "queries", ge=16, le=10_000)
    dns_queries_early: int = key(64, "How many of these before the end of the message.", "queries", ge=8, le=10_000)
    url_hosts: int = key(32, "Hosts of links that are looked up in block lists.", "hosts", ge=0, le=256)
    drain: float = key(30.0, "How long a stop waits for open sessions.", "s", ge=0, le=600)
