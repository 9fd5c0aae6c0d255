from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.dmarc.record import MAX_RECORD, Record, parse, select
from filterd.model.authentication import DmarcPolicy

NONE, QUARANTINE, REJECT = DmarcPolicy.NONE, DmarcPolicy.QUARANTINE, DmarcPolicy.REJECT


def test_a_full_record() -> None:
    """Every tag that matters, with the obsolete size limit of an address dropped."""
    text = (
        "v=DMARC1; p=reject; sp=quarantine; np=none; adkim=s; aspf=s; psd=n; t=y; fo=1; ri=3600; pct=10;"
        " rua=mailto:a@example.com!10m, https://example.com/in; ruf=mailto:b@example.com"
    )
    assert parse(text) == Record(
        REJECT, QUARANTINE, NONE, True, True, "n", True, ("mailto:a@example.com", "https://example.com/in")
    )


def test_defaults() -> None:
    """RFC 9989, section 4.7."""
    assert parse("v=DMARC1;p=none") == Record(NONE, None, None, False, False, "u", False, (), True)


@pytest.mark.parametrize(
    ("tags", "existing", "missing"),
    [
        ("p=reject", REJECT, REJECT),
        ("p=reject; sp=none", NONE, NONE),
        ("p=none; np=reject", NONE, REJECT),
        ("p=none; sp=quarantine; np=reject", QUARANTINE, REJECT),
    ],
)
def test_what_applies_below(tags: str, existing: DmarcPolicy, missing: DmarcPolicy) -> None:
    """np= falls back to sp=, which falls back to p=."""
    record = parse("v=DMARC1; " + tags)
    assert (record.existing_below, record.missing_below) == (existing, missing)


@pytest.mark.parametrize("broken", ["p=block", "p=", "sp=reject", "p=reject; sp=x", "p=reject; np=", "adkim=s", ""])
def test_without_valid_policies_only_an_address_for_reports_saves_a_record(broken: str) -> None:
    """Section 4.10.1: p=none with a usable rua=, else nothing."""
    assert not parse(f"v=DMARC1; {broken}").usable
    saved = parse(f"v=DMARC1; {broken}; rua=mailto:a@example.com")
    assert (saved.usable, saved.policy, saved.existing_below, saved.missing_below) == (True, NONE, NONE, NONE)


@pytest.mark.parametrize(
    "uri", ["mailto:", "mailto:nobody", "mailto:a@b c", "nobody@example.com", "https:", "://x", "mailto:a@b%zz", "é:x"]
)
def test_what_is_no_uri_saves_nothing(uri: str) -> None:
    """Section 4.10.1: at least one syntactically valid reporting URI."""
    assert not parse(f"v=DMARC1; rua={uri}").usable


@pytest.mark.parametrize(
    ("text", "psd"), [("psd=Y", "y"), ("psd=n", "n"), ("psd=x", "u"), ("psd=yn", "u"), ("psd=", "u"), ("psd", "u")]
)
def test_what_is_no_flag_is_the_default(text: str, psd: str) -> None:
    """Section 4.8: syntax errors give way to defaults."""
    assert parse(f"v=DMARC1; p=none; {text}").psd == psd


@pytest.mark.parametrize("noise", ["p", "sp", "=x", "", " ", "p:none", "é=1"])
def test_what_is_no_tag_is_left_out(noise: str) -> None:
    """It neither spoils a record nor stands in a tag's place."""
    assert parse(f"v=DMARC1; {noise}; p=reject") == Record(REJECT)


def test_the_first_of_a_repeated_tag_counts() -> None:
    """A tag further behind cannot weaken it."""
    assert parse("v=DMARC1; p=reject; p=none").policy is REJECT


@pytest.mark.threat("AUTH-11")
@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([], False),
        (["v=DMARC1; p=none"], True),
        (["v = DMARC1"], True),
        (["v=DMARC1\t;p=none"], True),
        (["v=DMARC1; p=none", "v=DMARC1; p=none"], False),
        (["v=DMARC1; p=none", "v=spf1 -all"], True),
        (["p=none; v=DMARC1"], False),
        (["v=DMARC1x; p=none"], False),
        (["v=DMARC1\u00a0; p=none"], False),
        (["v=DMARC1; p=none; x=" + "x" * MAX_RECORD], False),
    ],
)
def test_which_strings_are_a_record(texts: list[str], found: bool) -> None:  # noqa: FBT001  # a table
    """Section 4.10, steps 2 and 6."""
    assert (select(texts) is not None) == found


@given(st.lists(st.text(alphabet='v=DMARC1;pnpst= \t\0é"uy!,:@rua') | st.text(), max_size=4))
def test_no_text_raises(texts: list[str]) -> None:
    """Any strings are read somehow."""
    for text in texts:
        select([text])
        parse("v=DMARC1;" + text)


@pytest.mark.parametrize(
    "shape",
    [
        lambda n: ";" * n,
        lambda n: "p=reject;" * n,
        lambda n: "rua=" + "mailto:a@b.example!1k," * n,
        lambda n: "rua=" + "!1" * n,
        lambda n: "rua=a:" + "%41" * n,
        lambda n: " " * n,
        lambda n: "a" * n + "=",
    ],
)
def test_time_is_linear(shape: Callable[[int], str]) -> None:
    """Eight times the record takes far less than 64 times the time."""

    def seconds(size: int) -> float:
        text = "v=DMARC1;" + shape(size)
        times = []
        for _ in range(5):
            started = process_time()
            parse.__wrapped__(text)
            times.append(process_time() - started)
        return min(times)

    assert seconds(32_000) <= 24 * max(seconds(4_000), 1e-4)
