"""An aggregate report as the XML of RFC 9990, appendix A, and what it is called (section 3.5.2). Pure."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from filterd.dmarc.record import Record, parse, tags_of
from filterd.model.aggregate import DAY, Evaluated

NAMESPACE: Final = "urn:ietf:params:xml:ns:dmarc-2.0"
MAX_TEXT: Final = 255  # characters of what a stranger has written into a name
ID_LENGTH: Final = 24  # hexadecimal digits: 96 bits
_FAILURE_OPTIONS: Final = re.compile(r"[01ds](?::[01ds]){0,3}")
_OVERRIDES: Final = frozenset({"local_policy", "mailing_list", "other", "policy_test_mode", "trusted_forwarder"})


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports. `domain` is the submitter in Subject and file name; `host` tells its nodes apart."""

    organization: str
    email: str
    domain: str
    host: str
    contact: str = ""
    generator: str = "filterd"


@dataclass(frozen=True, slots=True)
class Reported:
    """What one report is about: the domain where the record stood, the record, the day (from 1970, UTC).

    `lost` messages are not in its rows: there were too many kinds of them.
    """

    domain: str
    record: str
    day: int
    lost: int = 0

    @property
    def begin(self) -> int:
        """The first second."""
        return self.day * DAY

    @property
    def end(self) -> int:
        """The last second."""
        return self.begin + DAY - 1


def report_id(reporter: Reporter, reported: Reported) -> str:
    """Section 3.5.1: the same report has the same id, whenever and however often it is made."""
    text = f"{reporter.domain} {reporter.host} {reported.domain} {reported.day}"
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def file_name(reporter: Reporter, reported: Reported) -> str:
    """Section 3.5.2; the unique id is the report's, as section 3.1.4 asks."""
    parts = (reporter.domain, reported.domain, str(reported.begin), str(reported.end), report_id(reporter, reported))
    return f"{'!'.join(parts)}.xml.gz"


def subject(reporter: Reporter, reported: Reported) -> str:
    """Section 3.5.2, dmarc-subject."""
    identifier = report_id(reporter, reported)
    return f"Report Domain: {reported.domain} Submitter: {reporter.domain} Report-ID: <{identifier}>"


def is_report_subject(text: str) -> bool:
    """Whether a message's Subject says that it is an aggregate report."""
    words = text.split()
    return words[:2] == ["Report", "Domain:"] and words[3:4] == ["Submitter:"]


def feedback(reporter: Reporter, reported: Reported, rows: Iterable[tuple[Evaluated, int]]) -> Iterator[str]:
    """The report in pieces; `rows` come with their numbers of messages."""
    yield f'<?xml version="1.0" encoding="UTF-8"?>\n<feedback xmlns="{NAMESPACE}">\n<version>1.0</version>\n'
    yield _metadata(reporter, reported)
    yield _published(reported)
    for evaluated, count in rows:
        yield _row(evaluated, count)
    yield "</feedback>\n"


def _metadata(reporter: Reporter, reported: Reported) -> str:
    lost = f"{reported.lost} more messages are not counted here: there were too many different ones"
    return _group(
        "report_metadata",
        _element("org_name", reporter.organization),
        _element("email", reporter.email),
        _element("extra_contact_info", reporter.contact) if reporter.contact else "",
        _element("report_id", report_id(reporter, reported)),
        _group("date_range", _element("begin", str(reported.begin)), _element("end", str(reported.end))),
        _element("error", lost) if reported.lost else "",
        _element("generator", reporter.generator),
    )


def _published(reported: Reported) -> str:
    """Tags that are not in the record have their defaults (section 3.1.1.5)."""
    record: Record = parse(reported.record)
    options = tags_of(reported.record).get("fo", "").lower()
    return _group(
        "policy_published",
        _element("domain", reported.domain),
        _element("discovery_method", "treewalk"),
        _element("p", record.policy),
        _element("sp", record.existing_below),
        _element("np", record.missing_below),
        _element("fo", options) if _FAILURE_OPTIONS.fullmatch(options) else "",
        _element("adkim", "s" if record.strict_dkim else "r"),
        _element("aspf", "s" if record.strict_spf else "r"),
        _element("testing", "y" if record.testing else "n"),
    )


def _row(one: Evaluated, count: int) -> str:
    reasons = [_group("reason", _element("type", name)) for name in one.reasons if name in _OVERRIDES]
    evaluated = _group(
        "policy_evaluated",
        _element("disposition", one.disposition),
        _element("dkim", _passed(good=one.dkim)),
        _element("spf", _passed(good=one.spf)),
        *reasons,
    )
    to = _element("envelope_to", one.envelope_to) if one.envelope_to else ""
    signatures = [
        _group(
            "dkim", _element("domain", sig.domain), _element("selector", sig.selector), _element("result", sig.result)
        )
        for sig in one.signatures
    ]
    spf = ""
    if one.spf_result:
        # Section 3.1.1.13: the one scope that DMARC uses.
        words = (_element("domain", one.spf_domain), _element("scope", "mfrom"), _element("result", one.spf_result))
        spf = _group("spf", *words)
    return _group(
        "record",
        _group("row", _element("source_ip", one.source), _element("count", str(count)), evaluated),
        _group(
            "identifiers", _element("header_from", one.header_from), _element("envelope_from", one.envelope_from), to
        ),
        _group("auth_results", *signatures, spf),
    )


def _passed(*, good: bool) -> str:
    return "pass" if good else "fail"


def _group(name: str, *inside: str) -> str:
    return f"<{name}>{''.join(inside)}</{name}>\n"


def _element(name: str, text: str) -> str:
    return f"<{name}>{escape(clean(text))}</{name}>"


def clean(text: str) -> str:
    """What a stranger has written, as XML 1.0 takes it: printable ASCII, which every domain name is, else `?`."""
    return "".join([letter if " " <= letter <= "~" else "?" for letter in text[:MAX_TEXT]])
