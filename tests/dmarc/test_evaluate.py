from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dmarc import MAX_QUERIES, evaluate
from filterd.dmarc.evaluate import MAX_IDENTIFIERS
from filterd.dns.fake import FakeResolver
from filterd.dns.plans import complete
from filterd.model.authentication import (
    DkimResult,
    DkimStatus,
    DmarcPolicy,
    DmarcResult,
    DmarcStatus,
    SpfResult,
    SpfScope,
    SpfStatus,
)
from filterd.model.dns import Plan
from filterd.model.inspection import Author, Mailbox

AUTHOR = Author((Mailbox("anna", "www.example.com"),))
SPF = SpfResult(SpfStatus.PASS, "bounce.example.com", SpfScope.MAILFROM)


def signed(*domains: str) -> list[DkimResult]:
    """Good signatures."""
    return [DkimResult(DkimStatus.PASS, domain, "s") for domain in domains]


def judge(
    resolver: FakeResolver, spf: Sequence[SpfResult] = (), dkim: Sequence[DkimResult] = (), author: Author = AUTHOR
) -> DmarcResult:
    """The result against a resolver."""
    return complete(evaluate(author, spf, dkim), resolver.lookup)


def test_walks_go_up_together() -> None:
    """Author, SPF domain and signer are one step each; what they share is asked once, strangers not at all."""
    resolver = FakeResolver(txt={"_dmarc.example.com": ["v=DMARC1; p=reject"]})
    steps = []

    def stepping(plan: Plan[DmarcResult]) -> Plan[DmarcResult]:
        questions = next(plan)
        while True:
            steps.append(sorted(question.name for question in questions))
            answers = yield questions
            try:
                questions = plan.send(answers)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]  # what the plan returns

    plan = evaluate(AUTHOR, [SPF], signed("k.example.com", "esp.test", "example.com"))
    assert complete(stepping(plan), resolver.lookup).status is DmarcStatus.PASS
    assert steps == [
        ["_dmarc.bounce.example.com", "_dmarc.example.com", "_dmarc.k.example.com", "_dmarc.www.example.com"],
        ["_dmarc.com"],
    ]


def test_a_stranger_is_walked_where_the_top_level_is_the_organization() -> None:
    """A registry that forgot psd=y makes one organization of all below it (section 4.10.2, step 3)."""
    resolver = FakeResolver(txt={"_dmarc.com": ["v=DMARC1; p=reject"]})
    result = judge(resolver, dkim=signed("other.com", "esp.test"))
    assert (result.status, result.organizational_domain) == (DmarcStatus.PASS, "com")
    assert "_dmarc.esp.test" not in [question.name for question in resolver.asked]


@pytest.mark.threat("AUTH-11")
def test_lookups_are_bounded_whoever_signs() -> None:
    """Eight signatures with deep names: eight lookups for each walk at most, and no walk twice."""
    deep = ".".join(f"l{number}" for number in range(40))
    author = Author((Mailbox("a", f"{deep}.example.com"),))
    dkim = signed(*[f"s{number}.{deep}.example.com" for number in range(8)] * 2)
    resolver = FakeResolver()
    assert judge(resolver, [SPF], dkim, author).status is DmarcStatus.NONE
    # All walks but their first names are the same beyond the jump to seven labels; SPF's is a short one.
    assert len(resolver.asked) == len(set(resolver.asked)) <= MAX_QUERIES + 8 + 3


def test_identifiers_are_bounded() -> None:
    """A caller that hands over a thousand results makes us walk for a few."""
    resolver = FakeResolver(txt={"_dmarc.www.example.com": ["v=DMARC1; p=reject"]})
    judge(resolver, dkim=signed(*[f"s{number}.example.com" for number in range(1000)]))
    assert len(resolver.asked) <= MAX_IDENTIFIERS + MAX_QUERIES


@pytest.mark.threat("AUTH-05")
def test_a_signature_over_a_part_of_the_body_authenticates_nothing() -> None:
    """Neither when it passes nor when its key could not be fetched."""
    resolver = FakeResolver(txt={"_dmarc.example.com": ["v=DMARC1; p=reject"]})
    for status in (DkimStatus.PASS, DkimStatus.TEMPERROR):
        partial = DkimResult(status, "www.example.com", "s", covers_body=False)
        assert judge(resolver, dkim=[partial]).status is DmarcStatus.FAIL


@pytest.mark.threat("AUTH-14")
def test_helo_is_no_identifier() -> None:
    """Section 4.4.2."""
    resolver = FakeResolver(txt={"_dmarc.example.com": ["v=DMARC1; p=reject"]})
    helo = SpfResult(SpfStatus.PASS, "www.example.com", SpfScope.HELO)
    assert judge(resolver, [helo]).status is DmarcStatus.FAIL


@pytest.mark.threat("AUTH-01")
@pytest.mark.threat("AUTH-02")
@pytest.mark.parametrize(
    "author",
    [
        Author(),
        Author(ambiguous="no From field"),
        Author((Mailbox("a", "www.example.com"),), "several From fields"),
        Author((Mailbox("a", "www.example.com"), Mailbox("b", "example.net"))),
        Author((Mailbox("a", ""),)),
        Author((Mailbox("a", "www.example.com"), Mailbox("b", ""))),
    ],
)
def test_without_one_author_domain_permerror(author: Author) -> None:
    """Nothing is looked up, nothing passes, and the cause says why."""
    resolver = FakeResolver(txt={"_dmarc.example.com": ["v=DMARC1; p=reject"]})
    result = judge(resolver, [SPF], signed("www.example.com"), author)
    assert (result.status, result.policy, resolver.asked) == (DmarcStatus.PERMERROR, DmarcPolicy.NONE, [])
    assert result.cause


@pytest.mark.threat("AUTH-13")
@pytest.mark.parametrize(
    ("fail", "dkim", "status"),
    [
        ("_dmarc.www.example.com", ["www.example.com"], DmarcStatus.TEMPERROR),
        ("_dmarc.com", ["www.example.com"], DmarcStatus.TEMPERROR),
        ("_dmarc.k.example.com", ["k.example.com"], DmarcStatus.TEMPERROR),
        ("_dmarc.k.example.com", ["k.example.com", "www.example.com"], DmarcStatus.PASS),
        ("_dmarc.esp.test", ["esp.test"], DmarcStatus.FAIL),
    ],
)
def test_a_failed_lookup_matters_only_where_it_decides(fail: str, dkim: list[str], status: DmarcStatus) -> None:
    """Section 5.3.6."""
    resolver = FakeResolver(txt={"_dmarc.example.com": ["v=DMARC1; p=reject"]}, fail=[f"txt {fail}"])
    result = judge(resolver, dkim=signed(*dkim))
    assert result.status is status
    if status is DmarcStatus.TEMPERROR:
        assert (result.policy, result.policy_domain) == (DmarcPolicy.NONE, "")


def test_strict_alignment_needs_no_organization() -> None:
    """Section 4.10.2: with the same domain on both sides a failure above changes nothing."""
    zone = {"_dmarc.www.example.com": ["v=DMARC1; p=reject; adkim=s"]}
    resolver = FakeResolver(txt=zone, fail=["txt _dmarc.example.com"])
    assert judge(resolver, dkim=signed("www.example.com")).status is DmarcStatus.PASS
    assert judge(resolver, dkim=signed("example.com")).status is DmarcStatus.FAIL


def test_existence_is_asked_only_where_it_decides() -> None:
    """np= equal to sp= costs no lookup."""
    for tags, asked in (("p=none; np=reject", True), ("p=reject; np=reject", False), ("p=reject", False)):
        resolver = FakeResolver(txt={"_dmarc.example.com": [f"v=DMARC1; {tags}"]})
        result = judge(resolver)
        assert ("www.example.com" in [question.name for question in resolver.asked]) == asked
        assert result.policy is DmarcPolicy.REJECT


@given(
    st.lists(st.text(max_size=30) | st.sampled_from(["", "com", "example.com", "www.example.com"]), max_size=3),
    st.text(max_size=30),
    st.lists(st.tuples(st.sampled_from(DkimStatus), st.text(max_size=30)), max_size=4),
    st.dictionaries(
        st.sampled_from(["_dmarc.www.example.com", "_dmarc.example.com", "_dmarc.com"]),
        st.lists(st.text(max_size=20).map("v=DMARC1;".__add__) | st.text(), max_size=3),
    ),
)
def test_nothing_raises(
    authors: list[str], spf: str, dkim: list[tuple[DkimStatus, str]], zone: dict[str, list[str]]
) -> None:
    """Whatever the names and records are, there is a result."""
    author = Author(tuple(Mailbox("a", domain) for domain in authors))
    results = [DkimResult(status, domain) for status, domain in dkim]
    result = judge(FakeResolver(txt=zone), [SpfResult(SpfStatus.PASS, spf, SpfScope.MAILFROM)], results, author)
    assert result.status in set(DmarcStatus)
