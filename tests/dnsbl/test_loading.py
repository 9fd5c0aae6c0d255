from pathlib import Path

import pytest

from filterd.config import ConfigError
from filterd.dnsbl import Subject, interpret, load_zones
from filterd.dnsbl.zones import ADDRESSES, MAX_TTL, MIN_TTL, NAMES
from filterd.model.dns import Answer, AnswerStatus, Question, RRType

SHIPPED = Path(__file__).resolve().parents[2] / "rules" / "dnsbl.toml"
CODES = "[lists.one.codes]\nA1 = ['127.0.0.2']\n"
LIST = '[lists.one]\nzone = "list.example"\nsubjects = ["client"]\n'

HASHES = LIST.replace("client", "address_hash")
FILES = LIST.replace("client", "attachment_hash")


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
        (LIST + "query = '{zone}'\n" + CODES, "query: expected {asked}.{zone}"),
        (LIST + "query = '{sha1}.{zone}'\n" + CODES, "where all subjects are hashes, and only there"),
        (HASHES + CODES, "where all subjects are hashes, and only there"),
        (
            HASHES.replace('_hash"', '_hash", "client"') + "query = '{sha1}.{zone}'\n" + CODES,
            "where all subjects are hashes",
        ),
        (FILES + "query = '{md5}.{zone}'\n" + CODES, "the only hash that is taken of attachments"),
        (FILES + "query = '{lower|sha256|base32}.{zone}'\n" + CODES, "the only hash that is taken of attachments"),
        (LIST + "min_ttl = 600\nmax_ttl = 60\n" + CODES, "min_ttl: expected at most max_ttl = 60, got 600"),
        (LIST + "max_ttl = 100000\n" + CODES, "less than or equal to 86400"),
        (
            LIST + CODES + "[lists.one.codes_about.client]\nB1 = ['127.0.0.3']\n",
            "expected addresses that codes declares",
        ),
        (LIST + CODES + "[lists.one.codes_about.client]\nb1 = ['127.0.0.2']\n", "expected a symbol in capitals"),
        (LIST + CODES + "[lists.one.codes_about.somebody]\nB1 = ['127.0.0.2']\n", "expected 'client', 'received'"),
        (LIST + CODES + "[lists.one.codes_about.client]\nB1 = ['127.0.0.2', '127.0.0.2']\n", "each declared once"),
        (
            LIST + "[lists.one.bits]\nA1 = 2\n[lists.one.bits_about.client]\nB1 = 4\n",
            "expected bits that bits declares",
        ),
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


def test_where_it_says_nothing_answers_are_kept_for_an_hour_at_most(tmp_path: Path) -> None:
    """Who is listed is news."""
    path = tmp_path / "dnsbl.toml"
    path.write_text(LIST + CODES)
    [zone] = load_zones(path)
    assert (zone.min_ttl, zone.max_ttl) == (MIN_TTL, MAX_TTL)


def test_labels_between_a_hash_and_the_zone_become_part_of_it(tmp_path: Path) -> None:
    """So test points are asked where hashes are."""
    path = tmp_path / "dnsbl.toml"
    path.write_text(HASHES + "query = '{sha1}._email.{zone}'\n" + CODES)
    [zone] = load_zones(path)
    assert (zone.zone, zone.key.digest) == ("_email.list.example", "sha1")


def test_no_shipped_list_is_asked_what_it_must_not_be() -> None:
    """Addresses to lists of addresses, names to lists of names; Spamhaus DBL calls an address an error."""
    for zone in load_zones(SHIPPED, disabled=True):
        if "dbl" in zone.name or "zrd" in zone.name:
            assert zone.subjects <= NAMES, zone.name
        if zone.name.startswith(("spamhaus-zen", "spamcop", "mailspike", "validity", "barracuda")):
            assert zone.subjects <= ADDRESSES, zone.name


def test_no_shipped_list_praises_what_anybody_can_write() -> None:
    """A Received line, a HELO name or a link costs nothing: allow lists are asked about clients and signers only."""
    for zone in load_zones(SHIPPED, disabled=True):
        if any(symbol.startswith(("DNSWL", "DWL")) for symbol in zone.symbols):
            assert zone.subjects <= {Subject.CLIENT, Subject.DKIM_DOMAIN}, zone.name


@pytest.mark.parametrize("code", ["127.0.0.10", "127.0.0.11", "127.0.0.4", "127.0.0.3"])
def test_shipped_lists_of_dial_up_addresses_mean_nothing_for_earlier_hosts(code: str) -> None:
    """People rightly send from there, through their provider."""
    zones = [
        zone
        for zone in load_zones(SHIPPED, disabled=True)
        if code in zone.codes and Subject.RECEIVED in zone.codes_about
    ]
    assert {zone.name for zone in zones} == {"spamhaus-zen", "spamhaus-zen-dqs"}
    answer = Answer(Question("x.example", RRType.A), AnswerStatus.NOERROR, (code,))
    for zone in zones:
        assert interpret(zone, answer, Subject.CLIENT).symbols
        assert not interpret(zone, answer, Subject.RECEIVED).symbols


def test_shipped_keys_are_shown_nowhere() -> None:
    """Each list with a key in its zone has another name to be shown by."""
    keyed = [zone for zone in load_zones(SHIPPED, disabled=True) if "{key}" in zone.zone]
    assert len(keyed) == 6
    assert all("{key}" not in zone.display and zone.zone not in repr(zone) for zone in keyed)
