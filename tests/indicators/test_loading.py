"""The operator's list of what is bad: what is taken, and what is refused by name."""

from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from filterd.config import ConfigError
from filterd.indicators import Entry, Indicators, Kind, load_indicators
from tests.conftest import ROOT

DIGEST = sha256(b"a loader").hexdigest()
ENTRY = """[indicators.wave]
kind = "{kind}"
values = ["{value}"]
reason = "Loader, case 1234"
owner = "anna@example.org"
expires = 2027-01-31
"""
GOOD = ENTRY.format(kind="file", value=DIGEST)
LAST = datetime(2027, 1, 31, 23, 59, tzinfo=UTC).timestamp()


def _load(tmp_path: Path, text: str) -> Indicators:
    path = tmp_path / "indicators.toml"
    path.write_text(text)
    return load_indicators(path)


def test_the_shipped_file_lists_nothing() -> None:
    """What is bad for one site is for its operator to say."""
    assert load_indicators(ROOT / "rules" / "indicators.toml").entries == ()


def test_the_examples_of_the_shipped_file_are_entries(tmp_path: Path) -> None:
    """Uncommented they load: they are what an operator copies."""
    lines = (ROOT / "rules" / "indicators.toml").read_text().splitlines()
    keys = ("# [", "# kind", "# values", "# reason", "# owner", "# expires")
    entries = _load(tmp_path, "\n".join([line[2:] for line in lines if line.startswith(keys)])).entries
    assert [entry.name for entry in entries] == ["invoice-wave-july", "parked-kit"]


def test_no_file_is_an_empty_list(tmp_path: Path) -> None:
    """A rules directory of an operator from before there was such a list still loads."""
    assert load_indicators(tmp_path / "indicators.toml").entries == ()


def test_an_entry_says_who_answers_for_it(tmp_path: Path) -> None:
    """Name, reason, owner and last day are there for the verdict and the log."""
    (entry,) = _load(tmp_path, GOOD).entries
    assert entry == Entry("wave", Kind.FILE, (DIGEST,), "Loader, case 1234", "anna@example.org", date(2027, 1, 31))
    assert str(entry) == "wave: Loader, case 1234 (anna@example.org)"


@pytest.mark.parametrize(
    ("kind", "value", "form"),
    [
        ("file", DIGEST.upper(), DIGEST),
        ("url", "HTTP://user@Evil.Example:80/a/../b%20c#x", "evil.example/b c"),
        ("host", "Bücher.Example.", "xn--bcher-kva.example"),
        ("host", ".Evil.example", ".evil.example"),
        ("host", "::ffff:192.0.2.1", "192.0.2.1"),
        ("address", "Anna@BÜCHER.example", "anna@xn--bcher-kva.example"),
    ],
)
def test_values_are_taken_in_the_form_that_is_compared(tmp_path: Path, kind: str, value: str, form: str) -> None:
    """However the operator writes them."""
    listed = _load(tmp_path, ENTRY.format(kind=kind, value=value))
    assert listed.entries[0].values == (form,)
    assert listed.find(Kind(kind), form, LAST) is not None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace(DIGEST, DIGEST[:-1]), "values: expected a SHA-256 in 64 hexadecimal digits"),
        (GOOD.replace(DIGEST, sha256(b"").hexdigest()), "expected a file with bytes in it"),
        (ENTRY.format(kind="url", value="evil.example"), "values: expected a link such as"),
        (ENTRY.format(kind="host", value="https://evil.example"), "values: expected a host such as"),
        (ENTRY.format(kind="host", value=".com"), "values: expected a host such as"),
        (ENTRY.format(kind="host", value=".192.0.2.1"), "values: expected a host such as"),
        (ENTRY.format(kind="address", value="@evil.example"), "values: expected an e-mail address such as"),
        (ENTRY.format(kind="ip", value="192.0.2.1"), "[indicators] wave.kind: expected 'file', 'url', 'host' or"),
        (GOOD.replace("owner = ", "ownr = "), '[indicators] wave.ownr: unknown key; did you mean "owner"?'),
        (GOOD.replace("anna@example.org", " "), "[indicators] wave.owner:"),
        (GOOD.replace("Loader, case 1234", "x" * 101), "[indicators] wave.reason:"),
        (GOOD.replace("Loader", "a\\nb"), "[indicators] wave.reason:"),
        (GOOD.replace("2027-01-31", '"soon"'), "[indicators] wave.expires:"),
        (GOOD.replace(f'"{DIGEST}"', ""), "[indicators] wave.values:"),
        (GOOD.replace("wave", "Wave!").replace("[indicators.Wave!]", '[indicators."Wave!"]'), "expected a name of"),
    ],
)
@pytest.mark.threat("OPS-05")
def test_what_cannot_be_meant_is_refused_with_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    """An entry that silently matches nothing would be worse than none."""
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert words in str(caught.value)
    assert all(problem.startswith(f"{tmp_path}/indicators.toml") for problem in caught.value.problems)


def test_an_entry_counts_to_the_end_of_its_last_day(tmp_path: Path) -> None:
    """In UTC, and without a reload: a minute later it is expired."""
    listed = _load(tmp_path, GOOD)
    assert (listed.find(Kind.FILE, DIGEST, LAST), listed.expired(LAST)) == (listed.entries[0], ())
    assert (listed.find(Kind.FILE, DIGEST, LAST + 60), listed.expired(LAST + 60)) == (None, listed.entries)


def test_an_expired_entry_does_not_hide_another(tmp_path: Path) -> None:
    """Whoever lists a value again means it."""
    other = GOOD.replace("wave", "again").replace("2027", "2028")
    found = _load(tmp_path, GOOD + other).find(Kind.FILE, DIGEST, LAST + 60)
    assert found is not None
    assert found.name == "again"
