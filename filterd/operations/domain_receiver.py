"""MTA-STS, TLS-RPT, DNSSEC and MX of a domain: how mail to it finds its way, and how well that is guarded."""

from typing import Any, Final

from checkdmarc import dnssec, mta_sts, smtp, utils
from checkdmarc import smtp_tls_reporting as tls_rpt

from filterd.model.dns import RRType
from filterd.operations.domain_fetch import FetchError
from filterd.operations.domain_tools import Tools, remark
from filterd.operations.domain_values import Findings, Level

FETCH_SHARE: Final = 0.8  # of the time that is left for the part
WEEK: Final = 7 * 24 * 3600  # seconds
_SERVFAIL: Final = "servfail"


def examine_mta_sts(domain: str, tools: Tools) -> Findings:
    """RFC 8461."""
    found = Findings(idle={(domain, "TXT")})
    try:
        query = mta_sts.query_mta_sts_record(domain, **tools.asking())
        found.record = query["record"]
        remark(found, "mta-sts", query["warnings"])
        parsed = mta_sts.parse_mta_sts_record(found.record)
    except mta_sts.MTASTSRecordNotFound:
        found.absent = True
        text = "there is no MTA-STS record: who can alter the way can have mail to it delivered without TLS"
        found.add(Level.NOTE, text, "publish a policy (RFC 8461), mode: testing first, with TLS-RPT beside it")
        return found
    except mta_sts.MTASTSError as error:
        remark(found, "mta-sts", [error], Level.ERROR)
        return found
    remark(found, "mta-sts", parsed["warnings"])
    found.facts["id"] = parsed["tags"]["id"]
    if tools.fetch is None:
        found.add(Level.NOTE, "the policy was not fetched, as was asked for")
        return found
    _policy(domain, tools, found)
    return found


def _policy(domain: str, tools: Tools, found: Findings) -> None:
    assert tools.fetch is not None  # noqa: S101  # the caller has looked
    try:
        fetched = tools.fetch(domain, tools.left() * FETCH_SHARE)
        remark(found, "mta-sts", fetched.strange)
        parsed = mta_sts.parse_mta_sts_policy(fetched.text)
    except FetchError as error:
        if error.certain:
            how = f"serve the policy at https://mta-sts.{domain}/.well-known/mta-sts.txt with a valid certificate"
            found.add(Level.ERROR, f"no policy: {error}", how)
        else:
            found.unchecked.append(f"policy: {error} (--no-fetch where this host may not use HTTPS)")
        return
    except mta_sts.MTASTSError as error:
        remark(found, "mta-sts", [error], Level.ERROR)
        return
    remark(found, "mta-sts", parsed["warnings"])
    policy: dict[str, Any] = parsed["policy"]
    found.facts |= {"mode": policy["mode"], "max_age": policy["max_age"], "mx": list(policy["mx"])}
    if policy["mode"] == "none":
        found.add(Level.WARNING, "mode: none takes the policy back", "publish mode: enforce, or take the record out")
    elif policy["mode"] == "testing":
        text = "mode: testing: failures are reported, and the mail is delivered nevertheless"
        found.add(Level.NOTE, text, "publish mode: enforce once TLS reports show no failures")
    if policy["mode"] != "none" and policy["max_age"] < WEEK:
        text = f"max_age is {policy['max_age']} seconds: who blocks the policy for that long is rid of it"
        found.add(Level.WARNING, text, "publish weeks (RFC 8461, section 3.2), such as max_age: 2419200")


def examine_tls_rpt(domain: str, tools: Tools) -> Findings:
    """RFC 8460."""
    found = Findings(idle={(domain, "TXT")})
    try:
        query = tls_rpt.query_smtp_tls_reporting_record(domain, **tools.asking())
        found.record = query["record"]
        remark(found, "tls-rpt", query["warnings"])
        parsed = tls_rpt.parse_smtp_tls_reporting_record(found.record)
    except tls_rpt.SMTPTLSReportingRecordNotFound:
        found.absent = True
        how = f'publish "v=TLSRPTv1; rua=mailto:ADDRESS" at _smtp._tls.{domain}'
        found.add(Level.NOTE, "there is no TLS-RPT record: nobody tells of mail to it that fails for TLS", how)
        return found
    except tls_rpt.SMTPTLSReportingError as error:
        remark(found, "tls-rpt", [error], Level.ERROR)
        return found
    remark(found, "tls-rpt", parsed["warnings"])
    found.facts["reports"] = list(parsed["tags"]["rua"]["value"])
    return found


def examine_dnssec(domain: str, tools: Tools) -> Findings:
    """RFC 4033 to 4035, as far as one look at the zone and its parent tells."""
    found = Findings()
    signed = dnssec.check_dnssec(domain, nameservers=[tools.servers])
    types = {rtype for _, rtype in tools.servers.answered}
    refused = tools.servers.failed.values()
    ours = tools.own.answer(domain, RRType.SOA)
    validated = ours.authenticated if tools.trusted and not ours.failed else None
    found.facts |= {"signed": signed, "ds": "DS" in types, "validated_by_name_server": validated}
    mend = "sign anew, or have the registrar change the DS record; until then validating servers see no such domain"
    if signed:
        if validated is False:
            text = "the configured name server does not say that it validated: DANE and AD cannot be relied on here"
            found.add(Level.NOTE, text, "use a validating resolver on this host")
    elif "DS" in types:
        # A validating name server says SERVFAIL of what does not verify; any other failure leaves it open.
        found.certain = set(refused) <= {_SERVFAIL}
        found.add(Level.ERROR, "the parent says that the zone is signed, and its signatures do not verify", mend)
    elif "DNSKEY" in types:
        text = "the zone is signed, but its parent has no DS record: for everybody else it is unsigned"
        found.add(Level.WARNING, text, "give the DS record to the registrar")
    else:
        found.absent = True
        how = "sign the zone; DANE (RFC 7672) becomes possible with it"
        found.add(Level.NOTE, "the zone is not signed: who can forge DNS answers can take its mail", how)
    if validated and not signed:
        found.differs.append("checkdmarc sees no valid signature; the configured name server has validated the domain")
    return found


def examine_mx(domain: str, tools: Tools) -> Findings:
    """RFC 5321, section 5; RFC 7505; RFC 7672. No host is connected to."""
    found = Findings()
    policy = tools.earlier["mta-sts"].facts
    try:
        theirs = smtp.get_mx_hosts(domain, mta_sts_mx_patterns=policy.get("mx"), **tools.asking())
    except utils.DNSException as error:
        remark(found, "mx", [error], Level.ERROR)
        return found
    hosts: list[dict[str, Any]] = [dict(host) for host in theirs["hosts"]]
    found.record = ", ".join([f"{host['preference']} {host['hostname']}" for host in hosts])
    found.facts["hosts"] = hosts
    for text in theirs["warnings"]:
        level = Level.WARNING
        if "has a null MX" in text:
            level = Level.NOTE
        elif text.endswith("is not included in the MTA-STS policy") and policy.get("mode") == "enforce":
            level = Level.ERROR  # RFC 8461, section 4.1: to such a host nothing is delivered
        elif "does not have any A or AAAA" in text and len(hosts) == 1:
            level = Level.ERROR
        remark(found, "mx", [text], level)
    return found
