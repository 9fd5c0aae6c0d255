"""What to do about what checkdmarc remarks: its words are many, what is to be done is less."""

from typing import Final

# The first whose words stand in a remark counts; the last of each part fits everything.
_REMEDIES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "mx": (
        (
            "does not have any reverse DNS",
            "have the owner of the address publish a PTR record that names the host",
        ),
        ("do not resolve to", "make the PTR record name a host whose A or AAAA record is that address"),
        ("points at the IP address", "give the host a name with an A or AAAA record, and name that in the MX record"),
        ("CNAME alias", "name the host that the alias stands for in the MX record"),
        ("does not have any A or AAAA", "publish the address of that host, or take it out of the MX records"),
        ("does not exist", "register or publish that name, or take it out of the MX records"),
        ("has no MX records", 'publish MX records, or "0 ." where the domain takes no mail'),
        ("has a null MX record (", ""),
        ("alongside", "take out either the null MX or the others"),
        ("MTA-STS policy", "add the host to the mx lines of the policy, then change id= in the _mta-sts record"),
        ("listed in multiple", "keep one MX record for each host"),
        ("", "correct the MX records of the domain"),
    ),
    "spf": (
        ("SPF type", "take the records of type SPF out; the TXT record is the one that counts"),
        ("more than one SPF", "join the records into one"),
        ("multiple SPF", "join the records into one"),
        ("maximum DNS lookups", "name networks (ip4, ip6) instead of hosts, leave out includes that are not needed"),
        ("void", "take out the terms whose names have no records"),
        ("does not have any", "take out the term, or publish what it names"),
        ("does not exist", "take out the term, or publish what it names"),
        ("bytes", "shorten the record: leave out what no longer sends, use larger networks"),
        ("ptr", "name networks or hosts instead of ptr"),
        ("all", "end the record with -all once every sender is in it, ~all until then"),
        ("", "correct the TXT record that begins with v=spf1"),
    ),
    "dmarc": (
        ("p tag value of none", "read the reports, mend what they show, then publish p=quarantine and later p=reject"),
        ("sp tag value of none", "publish sp=reject, or take sp out so that p holds below, too"),
        ("rua tag", "add rua=mailto: with an address that somebody, or a service, reads"),
        ("does not indicate that it accepts", "have the receiver of the reports publish that record, or name another"),
        ("no MX records", "name an address for reports whose domain takes mail"),
        ("Failed to retrieve MX", "name an address for reports whose domain takes mail"),
        ("was removed in RFC 9989", "take the tag out"),
        ("size limit", "take the size limit out"),
        ("root of", "take that record out; the one below _dmarc counts"),
        ("multiple", "leave one record"),
        ("", "correct the TXT record below _dmarc"),
    ),
    "mta-sts": (
        ("Content-Type", "serve the policy as text/plain"),
        ("", "correct the TXT record below _mta-sts, or the policy"),
    ),
    "tls-rpt": (("", "correct the TXT record below _smtp._tls"),),
    "bimi": (("", "correct the TXT record below _bimi"),),
    "dnssec": (("", "see what a validating resolver says: delv, or dnsviz.net"),),
}


def remedy_of(part: str, text: str) -> str:
    """What to do about a remark of checkdmarc's about this part."""
    return next(remedy for words, remedy in _REMEDIES[part] if words in text)
