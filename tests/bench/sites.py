"""The senders of the message set and what stands about them in the DNS.

Names lie under real top-level domains and, where every message has a site of its own, addresses in a public range: only
so does a filter treat them as it treats real mail. Whatever is asked about them is asked of the fixture server, and the
filters under test have no other: nothing leaves the machine.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tests.support.dnsserver import Records
from tests.support.signing import key_record

SHARED: Final = 20  # sending domains of the common set
ENDINGS: Final = ("com", "net", "org", "de", "io")
POLICIES: Final = ("none", "quarantine", "none", "reject")
LINKED: Final = 8  # domains that links of the common set point to, beside the sender's own
OWN: Final = 11 << 24  # 11.0.0.0/8: sites that serve one message alone
FOREIGN: Final = 12 << 24  # 12.0.0.0/8: clients that no SPF record of theirs names
Zone = dict[str, dict[str, Records]]


@dataclass(frozen=True, slots=True)
class Site:
    """One sending domain: its name, its two outgoing hosts, its relay service, the names its mail links to."""

    number: int
    domain: str
    addresses: tuple[str, str]
    relay: str
    linked: tuple[str, ...]

    @property
    def selector(self) -> str:
        """Of its DKIM key."""
        return f"mail{self.number % 7}"

    @property
    def policy(self) -> str:
        """What its DMARC record asks for."""
        return POLICIES[self.number % len(POLICIES)]

    @property
    def strict(self) -> bool:
        """Whether its SPF record ends in -all, or else in ~all."""
        return self.number % 3 != 0

    def host(self, which: int) -> str:
        """One of its outgoing hosts."""
        return f"out{which + 1}.{self.domain}"


def shared() -> tuple[Site, ...]:
    """Twenty sites that share the mail of a set among them: caches work."""
    links = tuple(f"fdbench-page{number}.{ENDINGS[number % len(ENDINGS)]}" for number in range(LINKED))
    return tuple(
        Site(
            number,
            f"fdbench-{number:02}.{ENDINGS[number % len(ENDINGS)]}",
            (f"192.0.2.{10 + 2 * number}", f"192.0.2.{11 + 2 * number}"),
            f"fdbench-relay{number % 3}.net",
            (links[number % LINKED], links[(number + 3) % LINKED]),
        )
        for number in range(SHARED)
    )


def own(variant: int, count: int) -> tuple[Site, ...]:
    """A site for each message, known to nobody yet: every name of it goes on the wire. `variant` gives other names."""
    return tuple(
        Site(
            number,
            f"fdbench-{variant}-{number}.{ENDINGS[number % len(ENDINGS)]}",
            (_address(OWN, variant, 2 * number), _address(OWN, variant, 2 * number + 1)),
            f"fdbench-relay{variant}-{number}.net",
            (f"fdbench-page{variant}-{number}.com", f"fdbench-side{variant}-{number}.org"),
        )
        for number in range(count)
    )


def foreign(site: Site, variant: int) -> str:
    """A client address that has nothing to do with the site."""
    return _address(FOREIGN, variant, site.number)


def zone(sites: Iterable[Site], variant: int = 0) -> Zone:
    """All records of these sites."""
    key = key_record()
    found: Zone = {}
    for site in sites:
        found |= _records(site, key)
        stray = foreign(site, variant)
        found[_reverse(stray)] = {"PTR": f"host{site.number}.fdbench-dial{variant}.net"}
        found[f"host{site.number}.fdbench-dial{variant}.net"] = {"A": stray}
    return found


def _records(site: Site, key: str) -> Zone:
    domain, (first, second) = site.domain, site.addresses
    relay = site.relay
    found: Zone = {
        domain: {"A": first, "MX": [f"10 in.{domain}", f"20 {site.host(0)}"], "TXT": [_spf(site), f"site={domain}"]},
        f"in.{domain}": {"A": second},
        f"www.{domain}": {"A": first},
        site.host(0): {"A": first, "TXT": "v=spf1 a -all"},
        site.host(1): {"A": second},
        _reverse(first): {"PTR": site.host(0)},
        _reverse(second): {"PTR": site.host(1)},
        f"{site.selector}._domainkey.{domain}": {"TXT": key},
        f"_dmarc.{domain}": {"TXT": f"v=DMARC1; p={site.policy}; rua=mailto:dmarc@{domain}; fo=1"},
        f"_spf.{relay}": {"TXT": f"v=spf1 include:_net1.{relay} include:_net2.{relay} ~all"},
        f"_net1.{relay}": {
            "TXT": "v=spf1 " + " ".join([f"ip4:198.51.100.{net * 8}/29" for net in range(16)]) + " ~all"
        },
        f"_net2.{relay}": {"TXT": "v=spf1 ip4:198.51.100.128/25 ip6:2001:db8:5::/48 ~all"},
    }
    for name in site.linked:
        found[name] = {"A": "203.0.113.9", "TXT": "v=spf1 -all"}
    return found


def _spf(site: Site) -> str:
    """Five ways to name the same two hosts."""
    first, second = site.addresses
    terms = (
        f"ip4:{first} ip4:{second}",
        f"include:_spf.{site.relay} ip4:{first} ip4:{second}",
        "a mx",
        f"mx include:_spf.{site.relay}",
        f"a:{site.host(0)} a:{site.host(1)} ip4:203.0.113.0/28",
    )
    return f"v=spf1 {terms[site.number % len(terms)]} {'-all' if site.strict else '~all'}"


def _reverse(address: str) -> str:
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def _address(base: int, variant: int, number: int) -> str:
    value = base + (variant << 12) + number + 1
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
