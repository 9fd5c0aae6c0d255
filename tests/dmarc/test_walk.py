from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dmarc.walk import MAX_QUERIES, Walk, walk_names, walk_questions
from filterd.model.dns import Answer, AnswerStatus

RECORDS = {"u": "v=DMARC1; p=none", "n": "v=DMARC1; p=none; psd=n", "y": "v=DMARC1; p=none; psd=y"}
FAILED = "?"


def walked(domain: str, zone: dict[str, str]) -> tuple[Walk, list[str]]:
    """The walk of a domain with u, n, y, or ? (a failure) at some names; and the names it came to."""
    walk, visited = Walk(domain), []
    while walk.question is not None:
        name = walk.question.name.removeprefix("_dmarc.")
        visited.append(name)
        kind = zone.get(name)
        if kind == FAILED:
            walk.take(Answer(walk.question, AnswerStatus.TEMPFAIL))
        elif kind is None:
            walk.take(Answer(walk.question, AnswerStatus.NXDOMAIN))
        else:
            walk.take(Answer(walk.question, AnswerStatus.NOERROR, (RECORDS[kind],)))
    return walk, visited


@pytest.mark.threat("AUTH-11")
@pytest.mark.parametrize("labels", [1, 2, 7, 8, 9, 40, 126])
def test_a_walk_has_at_most_eight_names(labels: int) -> None:
    """RFC 9989, section 4.10: beyond eight labels it jumps to seven."""
    domain = ".".join("x" * labels)
    names = walk_names(domain)
    assert names[0] == domain
    assert [name.count(".") + 1 for name in names[1:]] == list(range(min(labels - 1, 7), 0, -1))
    assert len(walk_questions(domain)) == len(names) <= MAX_QUERIES


@pytest.mark.parametrize(
    ("domain", "zone", "organization"),
    [
        ("a.mail.example.com", {"mail.example.com": "u", "example.com": "u"}, "example.com"),
        ("a.mail.example.com", {"mail.example.com": "n", "example.com": "u"}, "mail.example.com"),
        ("a.mail.example.com", {"com": "y"}, "example.com"),
        ("mail.example.com", {"mail.example.com": "u", "example.com": "y"}, "mail.example.com"),
        ("example.com", {"example.com": "y", "com": "u"}, "example.com"),
        ("example.com", {}, "example.com"),
        ("com", {"com": "y"}, "com"),
        ("1.2.3.4.5.6.7.8.9.example.com", {"5.6.7.8.9.example.com": "y"}, "4.5.6.7.8.9.example.com"),
    ],
)
def test_the_organizational_domain(domain: str, zone: dict[str, str], organization: str) -> None:
    """RFC 9989, section 4.10.2, its examples among them."""
    walk, _ = walked(domain, zone)
    assert (walk.organizations, walk.failed) == (frozenset({organization}), False)


@pytest.mark.threat("AUTH-13")
@given(st.integers(1, 5), st.lists(st.sampled_from([None, "u", "n", "y", FAILED]), min_size=5, max_size=5))
def test_failed_lookups_leave_every_domain_that_is_possible(labels: int, kinds: list[str | None]) -> None:
    """The set holds what any answer in place of a failure would lead to, and nothing else."""
    names = walk_names(".".join("abcde"[:labels]))
    zone = {name: kind for name, kind in zip(names, kinds, strict=False) if kind is not None}
    unknown = [name for name, kind in zone.items() if kind == FAILED]
    possible: set[str] = set()
    for choice in product([None, "u", "n", "y"], repeat=len(unknown)):
        chosen = {**zone, **dict(zip(unknown, choice, strict=True))}
        outcome, _ = walked(names[0], {name: kind for name, kind in chosen.items() if kind is not None})
        possible |= outcome.organizations
    assert walked(names[0], zone)[0].organizations == possible


@given(st.lists(st.sampled_from([None, "u", "n", "y"]), min_size=5, max_size=5))
def test_a_record_that_decides_ends_the_walk(kinds: list[str | None]) -> None:
    """Steps 2 and 6: nothing above psd=n or psd=y is asked."""
    names = walk_names("a.b.c.d.e")
    zone = {name: kind for name, kind in zip(names, kinds, strict=True) if kind is not None}
    _, visited = walked(names[0], zone)
    ends = [index for index, kind in enumerate(kinds) if kind in {"n", "y"}]
    assert visited == list(names[: ends[0] + 1 if ends else len(names)])
