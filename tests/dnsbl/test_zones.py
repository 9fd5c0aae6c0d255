from pathlib import Path

import pytest

from filterd.config import ConfigError
from filterd.dnsbl import load_zones
from filterd.dnsbl.codes import addresses_of

SHIPPED = Path(__file__).resolve().parents[2] / "rules" / "dnsbl.toml"
LIST = '[lists.one]\nzone = "list.example"\nsubjects = ["client"]\n'


def problem(tmp_path: Path, text: str) -> str:
    """What is wrong with this file."""
    path = tmp_path / "dnsbl.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_zones(path)
    return str(caught.value)


def test_lists_that_want_a_registration_are_shipped_disabled() -> None:
    """They would refuse every query of a new installation."""
    enabled = {zone.name for zone in load_zones(SHIPPED)}
    everything = {zone.name for zone in load_zones(SHIPPED, disabled=True)}
    assert enabled == {
        "spamhaus-zen",
        "spamcop",
        "mailspike",
        "dnswl",
        "spamhaus-dbl",
        "surbl",
        "uribl",
    }
    assert enabled < everything


@pytest.mark.threat("DNS-02")
def test_no_shipped_list_takes_127_0_0_1_or_an_error_for_a_hit() -> None:
    """The two answers that rewriting resolvers and blocked clients get most are in nobody's table."""
    for zone in load_zones(SHIPPED, disabled=True):
        assert "127.0.0.1" not in zone.codes
        assert not [code for code in zone.codes if code.startswith("127.255.")]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("127.0.0.2", ["127.0.0.2"]),
        ("127.0.0.4-6", ["127.0.0.4", "127.0.0.5", "127.0.0.6"]),
        ("127.1.2.3", ["127.1.2.3"]),
    ],
)
def test_codes_are_written_as_addresses_and_ranges(pattern: str, expected: list[str]) -> None:
    """One address, or a range of the last octet."""
    assert list(addresses_of(pattern)) == expected


def test_any_octet_can_be_a_range() -> None:
    """DNSWL puts the kind of sender into the third."""
    assert len(list(addresses_of("127.0.2-20.1"))) == 19


@pytest.mark.parametrize(
    "pattern",
    ["10.0.0.1", "127.0.0", "127.0.0.256", "127.0.0.7-4", "127.0.300.1", "127.0-255.0-255.1", "127.0.0.*", "x"],
)
def test_what_is_no_list_code_is_refused(pattern: str) -> None:
    """Answers of lists lie in 127.0.0.0/8, and a table has bounds."""
    with pytest.raises(ValueError, match="expected"):
        addresses_of(pattern)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LIST, "expected either codes or bits"),
        (LIST + "[lists.one.codes]\nA1 = ['127.0.0.2']\n[lists.one.bits]\nB1 = 2\n", "expected either codes or bits"),
        (LIST + "[lists.one.codes]\nA1 = ['127.0.0.2', '127.0.0.1-3']\n", "each declared once"),
        (LIST + "[lists.one.bits]\nA1 = 3\n", "expected one bit"),
        (LIST + "refused_bits = 1\n[lists.one.bits]\nA1 = 1\n", "expected one bit"),
        (LIST + "[lists.one.codes]\na1 = ['127.0.0.2']\n", "expected a symbol"),
        (LIST + "subject = 1\n[lists.one.codes]\nA1 = ['127.0.0.2']\n", 'did you mean "subjects"?'),
        (LIST.replace("list.example", "a..b") + "[lists.one.codes]\nA1 = ['127.0.0.2']\n", "expected a domain name"),
        (LIST.replace("list.ex", "{key}.ex") + "[lists.one.codes]\nA1 = ['127.0.0.2']\n", "expected key_file"),
        (LIST.replace("client", "cleint") + "[lists.one.codes]\nA1 = ['127.0.0.2']\n", "expected 'client'"),
        (LIST.replace("lists.one", "lists.ONE") + "[lists.ONE.codes]\nA1 = ['127.0.0.2']\n", "small letters"),
    ],
)
def test_what_cannot_be_meant_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """A list that is written wrongly is told at start."""
    assert expected in problem(tmp_path, text)


def test_a_key_is_put_into_the_zone_and_never_shown(tmp_path: Path) -> None:
    """The display name stands for the zone wherever a person looks."""
    key = tmp_path / "key"
    key.write_text("geheim123\n")
    key.chmod(0o600)
    path = tmp_path / "dnsbl.toml"
    path.write_text(
        '[lists.paid]\nzone = "{key}.paid.example"\ndisplay = "paid.example"\nsubjects = ["client"]\n'
        f"key_file = '{key}'\n[lists.paid.codes]\nA1 = ['127.0.0.2']\n"
    )
    [zone] = load_zones(path)
    assert zone.zone == "geheim123.paid.example"
    assert "geheim123" not in repr(zone)


@pytest.mark.threat("OPS-05")
def test_a_key_others_may_read_is_refused(tmp_path: Path) -> None:
    """A paid list's key is a secret."""
    key = tmp_path / "key"
    key.write_text("geheim123\n")
    key.chmod(0o644)
    text = (
        LIST.replace("list.ex", "{key}.ex")
        + f"display = 'x'\nkey_file = '{key}'\n[lists.one.codes]\nA1 = ['127.0.0.2']\n"
    )
    assert "other users may read" in problem(tmp_path, text)
