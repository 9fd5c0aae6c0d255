"""Generated zones for SPF: a small world of names in which records, addresses, voids and failures meet."""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.model.authentication import SpfResult, SpfScope
from filterd.spf import check_host

CLIENT = "192.0.2.1"
CLIENT6 = "2001:db8::1"
REVERSE = "1.2.0.192.in-addr.arpa"
NOW = 1_700_000_000.0

DOMAINS = [f"d{number}.test" for number in range(6)]
_HOSTS = {  # name -> its A record: the client, a neighbour, a stranger
    "client.test": ["192.0.2.1"],
    "near.test": ["192.0.2.77"],
    "far.test": ["198.51.100.1"],
    "many.test": ["198.51.100.2", "198.51.100.3", "192.0.2.1"],
}
_QUALIFIERS = st.sampled_from(["", "", "", "+", "-", "~", "?"])
_CIDRS = st.sampled_from(["", "", "", "/24", "/32", "/0", "/24//64", "//48"])
_NETWORKS = st.sampled_from(["192.0.2.1", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.9", "10.0.0.0/8"])
_ODD_WORDS = ["redirect", "ip4:1.2.3.4/33", "a:x", "mx:%{q}.test", "all:1", "frob", "a/24/24", "ip6:1.2.3.4", "-", "a:"]


@dataclass(frozen=True)
class Zone:
    """Records by type and name, as FakeResolver takes them."""

    txt: dict[str, list[str]]
    a: dict[str, list[str]] = field(default_factory=dict)
    mx: dict[str, list[str]] = field(default_factory=dict)
    ptr: dict[str, list[str]] = field(default_factory=dict)
    fail: tuple[str, ...] = ()

    def resolver(self) -> FakeResolver:
        """A resolver that answers from it."""
        return FakeResolver(txt=self.txt, a=self.a, mx=self.mx, ptr=self.ptr, fail=self.fail)


def check(
    resolver: FakeResolver,
    *,
    domain: str = "d0.test",
    client: str = CLIENT,
    sender: str = "",
    helo: str = "helo.test",
    explain: bool = True,
) -> SpfResult:
    """check_host with the values that most tests do not care about."""
    plan = check_host(
        client,
        domain,
        sender or f"alice@{domain}",
        helo,
        scope=SpfScope.MAILFROM,
        receiver="receiver.test",
        now=NOW,
        explain=explain,
    )
    return complete(plan, resolver.lookup)


def _names(extra: list[str]) -> st.SearchStrategy[str]:
    return st.sampled_from([*_HOSTS, *DOMAINS, "%{d1r}.%{d}", "%{l}.%{d}", "%{ir}.list.test", *extra])


def _term(targets: st.SearchStrategy[str], includes: list[str], kinds: list[str]) -> st.SearchStrategy[str]:
    """One mechanism; `includes` are the domains it may include."""
    with_target = {
        "a": st.builds("a:{}{}".format, targets, _CIDRS),
        "bare": st.sampled_from(["a", "mx", "a/24"]),
        "mx": st.builds("mx:{}{}".format, targets, _CIDRS),
        "exists": st.builds("exists:{}".format, targets),
        "ptr": st.sampled_from(["ptr", "ptr:client.test", "ptr:%{d1}.test"]),
        "include": st.sampled_from(includes).map("include:{}".format) if includes else st.nothing(),
        "ip4": _NETWORKS.map("ip4:{}".format),
        "ip6": st.just("ip6:2001:db8::/32"),
        "all": st.just("all"),
    }
    # A kind named twice comes twice as often.
    return st.builds("{}{}".format, _QUALIFIERS, st.sampled_from(kinds).flatmap(with_target.__getitem__))


def _record(terms: st.SearchStrategy[str], modifiers: list[str], most: int) -> st.SearchStrategy[str]:
    odd = st.integers(0, 19).flatmap(lambda roll: st.just("") if roll else st.sampled_from(_ODD_WORDS))
    words = st.lists(terms, min_size=1, max_size=most)
    ends = st.sampled_from(["", "", " -all", " ~all", " ?all", *(f" {modifier}" for modifier in modifiers)])
    return st.builds(lambda found, word, end: " ".join(["v=spf1", *found, word]) + end, words, odd, ends)


@st.composite
def wild_zones(draw: st.DrawFn) -> Zone:
    """Anything: loops, failing names, names that lead nowhere, syntax errors, ptr and %{p}, more terms than allowed."""
    targets = _names(["void1.test", "void2.test", "slow.test", "%{p}.test", "x..y.test"])
    kinds = ["a", "a", "bare", "mx", "mx", "exists", "ptr", "include", "include", "ip4", "ip6", "all"]
    terms = _term(targets, [*DOMAINS, "none.test", "slow.test"], kinds)
    modifiers = [
        *(f"redirect={domain}" for domain in DOMAINS),
        "exp=why.test",
        "-all exp=why.test",
        "exp=why.test -all",
        "redirect=%{d}",
    ]
    record = _record(terms, modifiers, 7)
    txt = {domain: [draw(record)] for domain in DOMAINS}
    txt["why.test"] = [draw(st.sampled_from(["%{i} may not send for %{d}", "odd %{q}", "%{p} is not ours"]))]
    txt["none.test"] = ["something else"]
    hosts = st.sampled_from([*_HOSTS, "void1.test", "slow.test", "d1.test", "."])
    mx = {name: draw(st.lists(hosts, min_size=1, max_size=12)) for name in ["far.test", *DOMAINS[:3]]}
    ptr = {REVERSE: draw(st.lists(st.sampled_from([*_HOSTS, "void1.test", "slow.test"]), min_size=1, max_size=4))}
    a = _HOSTS | {"1.2.0.192.list.test": ["127.0.0.2"], "alice.d1.test": ["127.0.0.1"]}
    failing = ["a slow.test", "txt slow.test", "mx slow.test", f"ptr {REVERSE}", "mx d1.test", "txt d2.test"]
    return Zone(txt, a, mx, ptr, tuple(draw(st.lists(st.sampled_from(failing), max_size=3))))


@st.composite
def tame_zones(draw: st.DrawFn) -> Zone:
    """What other implementations judge alike: no ptr, no repeated modifiers, includes lead to later domains only."""
    txt = {}
    for number, domain in enumerate(DOMAINS):
        later = DOMAINS[number + 1 :]
        kinds = ["a", "a", "bare", "mx", "exists", "ip4", "ip4", "ip6", "all"] + (["include"] * 3 if later else [])
        targets = _names(["void1.test", "slow.test"])
        terms = _term(targets, [*later, "none.test", "slow.test"], kinds)
        modifiers = ["-all exp=why.test", "exp=why.test", *(f"redirect={name}" for name in later)]
        txt[domain] = [draw(_record(terms, modifiers, 4))]
    txt["why.test"] = [draw(st.sampled_from(["%{i} may not send for %{d}", "odd %{q}", "see http://x.test/%{S}"]))]
    txt["none.test"] = ["something else"]
    hosts = st.sampled_from(list(_HOSTS))
    mx = {name: draw(st.lists(hosts, min_size=1, max_size=4, unique=True)) for name in ["far.test", *DOMAINS[:3]]}
    a = _HOSTS | {"1.2.0.192.list.test": ["127.0.0.2"], "alice.d1.test": ["127.0.0.1"]}
    failing = ["a slow.test", "txt slow.test", "mx slow.test", "aaaa slow.test", "mx d1.test", "txt d3.test"]
    return Zone(txt, a, mx, {}, tuple(draw(st.lists(st.sampled_from(failing), max_size=3))))
