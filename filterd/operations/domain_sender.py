"""SPF, DMARC and BIMI of a domain: who may send in its name, what becomes of others' mail, what is shown beside it."""

import re
from typing import Any, Final
from urllib.parse import urlsplit

from checkdmarc import bimi, dmarc, spf

from filterd.dmarc.record import Record, select
from filterd.domains import normalise
from filterd.model.authentication import DmarcPolicy, DmarcResult, DmarcStatus, SpfResult, SpfStatus
from filterd.model.dns import RRType
from filterd.operations.domain_own import NO_SUCH_NAME, STRANGERS
from filterd.operations.domain_tools import Tools, remark
from filterd.operations.domain_values import Findings, Level, State

BIMI_SELECTOR: Final = "default"
_ERRORS: Final = frozenset({SpfStatus.TEMPERROR, SpfStatus.PERMERROR})
_ENFORCED: Final = frozenset({DmarcPolicy.QUARANTINE, DmarcPolicy.REJECT})
_BIMI_URI: Final = re.compile(r"(;[ \t]*)([la])[ \t]*=[ \t]*([^;]*)", re.IGNORECASE)


def examine_spf(domain: str, tools: Tools) -> Findings:
    """RFC 7208."""
    found = Findings()
    theirs = _their_spf(domain, tools, found)
    ours = tools.own.strangers(domain)
    found.facts["strangers"] = {address: one.status.value for address, one in zip(STRANGERS, ours, strict=True)}
    found.unchecked += [one.cause for one in ours if one.status is SpfStatus.TEMPERROR]
    if found.absent:
        how = 'publish "v=spf1 mx -all" with all else that sends its mail, or "v=spf1 -all" where nothing does'
        found.add(Level.ERROR, "there is no SPF record", how)
    for one in dict.fromkeys(ours):
        of = " and ".join([address for address, other in zip(STRANGERS, ours, strict=True) if other == one])
        if one.status is SpfStatus.PASS:
            text = f"anybody may send in its name: mail from {of}, addresses of nobody, passes by {one.cause}"
            found.add(Level.ERROR, text, "take out that term, end the record with -all")
        elif one.status is SpfStatus.NEUTRAL:
            text = f"of mail from strangers ({of}) it says nothing: neutral, {one.cause}"
            found.add(Level.WARNING, text, "end the record with -all once every sender is in it, ~all until then")
    if not tools.servers.failed:
        found.differs += _spf_differences(theirs, ours)
    return found


def _their_spf(domain: str, tools: Tools, found: Findings) -> str:
    """What checkdmarc sees: valid, invalid or absent."""
    try:
        query = spf.query_spf_record(domain, **tools.asking())
        found.record = query["record"]
        remark(found, "spf", query["warnings"])
        parsed = spf.parse_spf_record(found.record, domain, ignore_too_many_lookups=True, **tools.asking())
    except spf.SPFRecordNotFound as error:
        # With a record at hand it is one that an include or a redirect names.
        found.absent = not found.record
        if not found.absent:
            remark(found, "spf", [error], Level.ERROR)
        remark(found, "spf", error.warnings)
        return "absent" if found.absent else "invalid"
    except spf.SPFError as error:
        remark(found, "spf", [error], Level.ERROR)
        remark(found, "spf", error.warnings)
        return "invalid"
    found.facts |= {"dns_lookups": parsed["dns_lookups"], "void_dns_lookups": parsed["void_dns_lookups"]}
    remark(found, "spf", [parsed["error"]] if "error" in parsed else [], Level.ERROR)
    remark(found, "spf", parsed["warnings"])
    return "invalid" if "error" in parsed else "valid"


def _spf_differences(theirs: str, ours: tuple[SpfResult, ...]) -> dict[str, None]:
    """Where the daemon would see the record otherwise; what could not be checked differs from nothing."""
    found: dict[str, None] = {}
    for one in ours:
        if one.status is SpfStatus.TEMPERROR:
            continue
        view = {SpfStatus.NONE: "absent", SpfStatus.PERMERROR: "invalid"}.get(one.status, "valid")
        if view != theirs:
            found[f"checkdmarc: {theirs}; filterd gives {one.status.value} to a stranger ({one.cause})"] = None
    return found


def examine_dmarc(domain: str, tools: Tools) -> Findings:
    """RFC 9989."""
    found = Findings(idle={(domain, "TXT")})
    ours = tools.own.unproved(domain)
    theirs = _their_dmarc(domain, tools, found)
    if ours.status is DmarcStatus.TEMPERROR:
        found.unchecked.append(ours.cause)
        return found
    if ours.status is DmarcStatus.NONE:
        found.absent = not found.record and not found.remarks
        if found.absent:
            first = f'publish "v=DMARC1; p=none; rua=mailto:ADDRESS" at _dmarc.{domain}'
            how = f"{first}, and p=reject once the reports allow it"
            found.add(Level.ERROR, "there is no DMARC record that applies to it", how)
        found.differs += [f"checkdmarc: p={theirs}; filterd finds no policy: {ours.cause}"] if theirs else []
        return found
    _own_dmarc(domain, ours, tools, found)
    if theirs and theirs != ours.policy.value:
        found.differs.append(f"checkdmarc: {theirs}; filterd applies {ours.policy.value} from {ours.policy_domain}")
    elif not theirs and not tools.servers.failed:
        words = "checkdmarc finds no valid record; filterd, as RFC 9989 asks of receivers, applies"
        found.differs.append(f"{words} {ours.policy.value} from {ours.policy_domain}")
    return found


def _their_dmarc(domain: str, tools: Tools, found: Findings) -> str:
    """What checkdmarc sees of what applies to the domain, empty where it sees no valid record."""
    try:
        query = dmarc.query_dmarc_record(domain, ignore_unrelated_records=True, **tools.asking())
        found.record = query["record"]
        remark(found, "dmarc", query["warnings"])
        parsed = dmarc.parse_dmarc_record(
            found.record, query["location"], ignore_unrelated_records=True, **tools.asking()
        )
    except dmarc.DMARCRecordNotFound:
        return ""
    except dmarc.DMARCError as error:
        remark(found, "dmarc", [error], Level.ERROR)
        return ""
    remark(found, "dmarc", parsed["warnings"])
    tags = parsed["tags"]
    asked = DmarcPolicy(tags["p" if query["location"] == domain else "sp"]["value"])
    return Record(testing=tags.get("t", {}).get("value") == "y").asked(asked).value


def _own_dmarc(domain: str, ours: DmarcResult, tools: Tools, found: Findings) -> None:
    """What the daemon makes of the record: what it applies to the domain, and to names below that are not there."""
    answer = tools.own.answer(f"_dmarc.{ours.policy_domain}", RRType.TXT)
    record = select(answer.records) or Record()
    texts = [text for text in answer.records if select((text,)) is not None]
    found.record = found.record or "".join(texts)
    found.facts |= {
        "policy_domain": ours.policy_domain,
        "organizational_domain": ours.organizational_domain,
        "policy": ours.policy.value,
        "testing": record.testing,
        "reports": list(record.reports),
    }
    below = tools.own.unproved(f"{NO_SUCH_NAME}.{domain}")
    if below.status is DmarcStatus.TEMPERROR:
        found.unchecked.append(f"the policy of names below that are not there: {below.cause}")
    else:
        found.facts["policy_of_missing_names"] = below.policy.value
        if ours.policy in _ENFORCED and below.policy is DmarcPolicy.NONE:
            text = f"mail from names below {domain} that are not there is not covered"
            found.add(Level.WARNING, text, "publish np=reject")
    if record.testing:
        text = f"t=y: receivers do one step less than the record says, {ours.policy.value} now"
        found.add(Level.WARNING, text, "take t=y out once the reports show no mail of yours that fails")
    if len(answer.records) > len(texts):
        text = f"_dmarc.{ours.policy_domain} has other TXT records beside; receivers discard them, some do not"
        found.add(Level.WARNING, text, "take them out, or out of a wildcard")


def examine_bimi(domain: str, tools: Tools) -> Findings:
    """draft-brand-indicators-for-message-identification; neither logo nor certificate is fetched."""
    found = Findings(idle={(domain, "TXT")})
    try:
        query = bimi.query_bimi_record(domain, selector=BIMI_SELECTOR, **tools.asking())
        found.record = query["record"]
        remark(found, "bimi", query["warnings"])
        uris = {name.lower(): value.strip() for _, name, value in _BIMI_URI.findall(found.record)}
        # checkdmarc would fetch what is named: it sees the record without.
        parsed = bimi.parse_bimi_record(_BIMI_URI.sub(r"\1\2=", found.record), domain=domain)
    except bimi.BIMIRecordNotFound:
        found.absent = True
        found.add(Level.NOTE, "there is no BIMI record: mail programs show no logo, which most domains do without")
        return found
    except bimi.BIMIError as error:
        remark(found, "bimi", [error], Level.ERROR)
        return found
    remark(found, "bimi", parsed["warnings"])
    found.facts |= {"location": query["location"], "logo": uris.get("l", ""), "certificate": uris.get("a", "")}
    for tag, uri in uris.items():
        if uri and not _is_https(uri):
            found.add(Level.ERROR, f"{tag}= is no https URI with a host's name: {uri}", "name one, or leave it empty")
    if uris.get("l"):
        _shown(tools, found, certified=bool(uris.get("a")))
    return found


def _shown(tools: Tools, found: Findings, *, certified: bool) -> None:
    """What the draft's section 7.1 asks of DMARC before a logo is shown."""
    policy = tools.earlier["dmarc"]
    asked: Any = [policy.facts.get("policy"), policy.facts.get("policy_of_missing_names")]
    if policy.state is State.UNKNOWN or None in asked:
        found.add(Level.NOTE, "whether DMARC lets the logo be shown is not known")
    elif "none" in asked:
        text = "the logo is not shown: DMARC is not enforced for the domain and what is below"
        found.add(Level.WARNING, text, "publish p=quarantine or p=reject, and no sp=none or np=none")
    if not certified:
        text = "without a certificate (a=) the large providers show no logo"
        found.add(Level.NOTE, text, "have a mark certificate made, and name it in a=")
    found.add(Level.NOTE, "logo and certificate were not fetched and not looked at")


def _is_https(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        host = parts.hostname or ""
        parts.port  # noqa: B018  # raises where it is none
    except ValueError:
        return False
    return parts.scheme == "https" and "." in host and normalise(host) is not None and uri.isascii() and " " not in uri
