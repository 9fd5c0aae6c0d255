"""What becomes of the lists, scores and networks of rspamd and SpamAssassin."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from filterd.app.importing import import_context
from filterd.config import Config
from filterd.config.toml import read_model
from filterd.operations import importing_rspamd, importing_spamassassin
from filterd.operations.importing import Context, Fate, Found, ImportFailedError, toml
from filterd.operations.importing_symbols import RSPAMD, SPAMASSASSIN
from filterd.operations.importing_ucl import Table, parse
from tests.support.growth import LINEAR, growth

CONTEXT = Context(
    frozenset({"gmail.com"}), {"SPF_FAIL": 3.0, "DKIM_PASS": -0.2, "DMARC_REJECT": 6.0}, frozenset({"DMARC_REJECT"})
)


def spamassassin(tmp_path: Path, *lines: str) -> list[Found]:
    """What becomes of these lines of local.cf."""
    (tmp_path / "local.cf").write_text("\n".join(lines) + "\n")
    return importing_spamassassin.read(tmp_path / "local.cf", CONTEXT)


def rspamd(tmp_path: Path, **files: str) -> list[Found]:
    """What becomes of these files of local.d; in their names _dot_ is a dot."""
    folder = tmp_path / "rspamd" / "local.d"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name.replace("_dot_", ".")).write_text(text)
    return importing_rspamd.read(tmp_path / "rspamd", CONTEXT)


def entries(found: list[Found]) -> list[str]:
    """The entries of lists."""
    return [one.here for one in found if one.fate is Fate.ENTRY]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("whitelist_from Anna@Example.org", ["allow sender:anna@example.org"]),
        ("welcomelist_from *@example.org *@*.example.net", ["allow domain:example.org", "allow domain:.example.net"]),
        ("whitelist_auth *.example.org", ["allow domain:.example.org"]),
        ("def_whitelist_auth *@example.org", ["allow domain:example.org"]),
        ("whitelist_from_rcvd anna@example.org mx.example.org", ["allow sender:anna@example.org"]),
        ("whitelist_from_dkim anna@mail.example.org example.org", ["allow sender:anna@mail.example.org"]),
        ("blacklist_from *@bad.example  # since May", ["block domain:bad.example"]),
        ("blocklist_from b@bad.example", ["block sender:b@bad.example"]),
        ("blacklist_to old@local.test", ["block recipient:old@local.test"]),
        ("all_spam_to postmaster@local.test", ["allow recipient:postmaster@local.test"]),
    ],
)
def test_lists_of_spamassassin(tmp_path: Path, line: str, expected: list[str]) -> None:
    """Both spellings, in the form that filterd compares."""
    assert entries(spamassassin(tmp_path, line)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "whitelist_from *",
        "whitelist_from *@*",
        "whitelist_from *@com",
        "whitelist_from *.com",
        "whitelist_from *@gmail.com",
        "whitelist_from_dkim anna@example.org esp.example",
    ],
)
def test_what_would_open_the_door_is_not_taken(tmp_path: Path, line: str) -> None:
    """Everybody, a top-level domain, a domain where anybody gets an address, a signer that proves something else."""
    assert [one.fate for one in spamassassin(tmp_path, line)] == [Fate.UNSAFE]


def test_an_unproved_sender_is_never_let_in(tmp_path: Path) -> None:
    """An entry made of whitelist_from says that it counts for what the mail proves, and is of a kind that does so."""
    (found,) = spamassassin(tmp_path, "whitelist_from anna@example.org")
    assert "counts only where the mail proves it" in found.why
    assert found.entry.startswith("sender:")


def test_what_is_taken_back(tmp_path: Path) -> None:
    """unwhitelist_from takes out one entry of a line, whatever stood beside it."""
    found = spamassassin(tmp_path, "whitelist_from a@b.example c@d.example", "unwelcomelist_from A@b.example")
    assert entries(found) == ["allow sender:c@d.example"]


def test_branches(tmp_path: Path) -> None:
    """Lines behind if count, those behind else do not."""
    lines = ["ifplugin X", "blacklist_from a@b.example", "else", "blacklist_from c@d.example", "endif", "endif"]
    assert entries(spamassassin(tmp_path, *lines, "blacklist_from e@f.example")) == [
        "block sender:a@b.example",
        "block sender:e@f.example",
    ]


def test_scores_of_spamassassin(tmp_path: Path) -> None:
    """They are brought from the threshold of 5 to that of 6; the last of four counts, for it is with network tests."""
    lines = [
        "required_score 4",
        "score SPF_FAIL 0 1 0 2",
        "score DKIM_VALID 0",
        "score BAYES_99 5",
        "score SPF_FAIL (1)",
    ]
    found = spamassassin(tmp_path, *lines)
    assert [(one.fate, one.here) for one in found[1:]] == [
        (Fate.SETTING, "rules.scores.SPF_FAIL.weight = 3.0"),
        (Fate.SETTING, "rules.scores.DKIM_PASS.off = True"),
        (Fate.WITHOUT, "-"),
        (Fate.WITHOUT, "-"),
    ]


def test_a_weight_the_other_way_round(tmp_path: Path) -> None:
    """What lets mail pass there and is held against it here is no weight of the same thing."""
    assert [one.fate for one in spamassassin(tmp_path, "score SPF_FAIL -3")] == [Fate.UNSAFE]


def test_networks(tmp_path: Path) -> None:
    """SpamAssassin's short forms; exceptions are named, and loopback stays ours."""
    found = spamassassin(tmp_path, "trusted_networks 192.168. 10/8 !10.1.1.1", "msa_networks 2001:db8::/32")
    assert [one.here for one in found if one.fate is Fate.SETTING] == [
        "trust.relays = ['192.168.0.0/16', '10.0.0.0/8']",
        "trust.networks = ['127.0.0.0/8', '::1/128', '2001:db8::/32']",
    ]
    assert [one.why for one in found if one.fate is Fate.WITHOUT] == [
        "!10.1.1.1: expected a network; there are no exceptions (!) from one here"
    ]


MULTIMAP = """
# what we let pass
GOOD { type = "from"; filter = "email:domain"; map = "/etc/rspamd/local.d/good.map"; score = -10.0; }
BELOW { type = "from"; filter = "email:domain:tld"; map = "$LOCAL_CONFDIR/local.d/below.map"; score = -10.0; }
BAD { type = "ip"; prefilter = true; action = "reject"; map = [ "${LOCAL_CONFDIR}/local.d/bad.map" ] }
TO: { type: "rcpt", action: "accept", map: "$LOCAL_CONFDIR/local.d/to.map" }
HEAVY { type = "from"; symbol = "HEAVY_ONE"; map = "$LOCAL_CONFDIR/local.d/heavy.map"; }
"""


def test_multimap(tmp_path: Path) -> None:
    """Maps by which rspamd refuses or lets pass become entries, also where the folder was copied from elsewhere."""
    found = rspamd(
        tmp_path,
        multimap_dot_conf=MULTIMAP,
        good_dot_map="# c\nexample.org\nBank.example 0.5\ngmail.com\n",
        below_dot_map="example.net\n",
        bad_dot_map="192.0.2.0/24 # x\n!192.0.2.7\n",
        to_dot_map="abuse@local.test\n",
        heavy_dot_map="a@b.example\n",
        groups_dot_conf='group "x" { symbols { "HEAVY_ONE" { weight = 20; } } }',
    )
    assert entries(found) == [
        "allow domain:example.org",
        "allow domain:bank.example",
        "allow domain:.example.net",
        "block ip:192.0.2.0/24",
        "allow recipient:abuse@local.test",
        "block sender:a@b.example",
    ]
    assert [one.origin.text for one in found if one.fate is Fate.UNSAFE] == ["gmail.com"]


@pytest.mark.parametrize(
    "rule",
    [
        'type = "from"; score = 3; map = "/x"',
        'type = "from"; score = -1; map = "/x"',
        'type = "from"; action = "add header"; map = "/x"',
        'type = "from"; action = "reject"; regexp = true; map = "/x"',
        'type = "from"; action = "reject"; map = "https://example.org/x"',
        'type = "from"; action = "reject"; map = "/not/there"',
        'type = "from"; action = "reject"; require_symbols = "A & B"; map = "/x"',
        'type = "from"; action = "reject"',
        'type = "from"; action = "reject"; enabled = false; map = "/x"',
        'type = "hostname"; action = "accept"; map = "/x"',
        'type = "country"; score = 20; map = "/x"',
        'type = "strange"; score = 20; map = "/x"',
    ],
)
def test_what_weighs_a_little_is_no_entry(tmp_path: Path, rule: str) -> None:
    """Nor is what has no counterpart; each says why."""
    found = rspamd(tmp_path, multimap_dot_conf=f"RULE {{ {rule} }}")
    assert [one.fate for one in found] == [Fate.WITHOUT]
    assert found[0].why


def test_whitelist_module(tmp_path: Path) -> None:
    """Domains that had to prove themselves there have to here; what weighed little, or blocks, is named."""
    text = """rules {
      "STRONG" = { valid_dkim = true; domains = [ "$LOCAL_CONFDIR/local.d/dkim.inc" ]; score = -7.0; }
      "WEAK" { valid_spf = true; domains = ["example.net"]; score = -1; }
      BLACK { valid_dmarc = true; blacklist = true; domains = ["example.com"]; }
    }"""
    found = rspamd(tmp_path, whitelist_dot_conf=text, dkim_dot_inc='example.org "both:1.0"\n')
    assert entries(found) == ["allow domain:example.org"]
    assert [one.fate for one in found] == [Fate.ENTRY, Fate.WITHOUT, Fate.WITHOUT]


def test_settings_of_rspamd(tmp_path: Path) -> None:
    """Thresholds are the same points; a symbol that says what a message gets at least is not turned off unasked."""
    group = 'symbols = { "R_SPF_FAIL" { weight = 4; } "DMARC_POLICY_REJECT" { weight = 0; } "OWN" { weight = 2 } }'
    found = rspamd(
        tmp_path,
        actions_dot_conf="reject = 20; add_header = 7; greylist = null; rewrite_subject = 8;",
        options_dot_inc='local_addrs = [10.0.0.0/8, "fe80::/10"]; dns { timeout = 1s; }',
        policies_group_dot_conf=group,
        redis_dot_conf="servers = localhost;",
    )
    assert [one.here for one in found if one.fate is Fate.SETTING] == [
        "actions.reject = 20.0",
        "actions.add_header = 7.0",
        "trust.networks = ['127.0.0.0/8', '::1/128', '10.0.0.0/8', 'fe80::/10']",
        "rules.scores.SPF_FAIL.weight = 4.0",
    ]
    assert [one.fate for one in found].count(Fate.UNSAFE) == 1


def test_the_settings_load(tmp_path: Path) -> None:
    """What is printed for filterd.toml is a configuration that filterd reads."""
    found = spamassassin(tmp_path, "msa_networks 192.0.2.1", "score SPF_FAIL 3", "score DKIM_VALID 0")
    found += rspamd(tmp_path, actions_dot_conf="reject = 20", options_dot_inc="local_addrs = [10.0.0.0/8]")
    path = tmp_path / "filterd.toml"
    path.write_text("\n".join(toml(found)))
    config = read_model(path, Config)
    assert (config.actions.reject, config.rules.scores["DKIM_PASS"].off) == (20.0, True)
    assert [str(network) for network in config.trust.networks] == [
        "127.0.0.0/8", "::1/128", "192.0.2.1/32", "10.0.0.0/8"
    ]  # fmt: skip


def test_names_of_symbols() -> None:
    """What is said to be the same exists here."""
    known = import_context(Config()).symbols
    assert {*RSPAMD.values(), *SPAMASSASSIN.values()} - known.keys() == set()


def test_nothing_to_read(tmp_path: Path) -> None:
    """It says what was expected."""
    with pytest.raises(ImportFailedError, match="expected rspamd's folder"):
        importing_rspamd.read(tmp_path, CONTEXT)
    with pytest.raises(ImportFailedError, match=r"expected local\.cf"):
        importing_spamassassin.read(tmp_path, CONTEXT)
    with pytest.raises(ImportFailedError, match="No such file"):
        importing_spamassassin.read(tmp_path / "local.cf", CONTEXT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "}",
        "[",
        "a",
        "a =",
        "a = {",
        "a = [",
        'a = "',
        "= = =",
        "a { b { c",
        "] } ] }",
        "/* x",
        "\0\ufffd",
        '"\\',
    ],
)
def test_what_is_no_ucl(text: str) -> None:
    """Anything is read as something."""
    assert isinstance(parse(text, "x"), Table)


def test_depth() -> None:
    """Nesting has a bound."""
    with pytest.raises(ImportFailedError, match="nested deeper"):
        parse("a {" * 100, "x")


@pytest.mark.parametrize("piece", ["a { ", "a = b; ", '"x" ', "# c\n", "[ ", '"', "/*", "a:", "\\"])
def test_reading_ucl_is_linear(piece: str) -> None:
    """Twice the text takes twice the time."""

    def build(size: int) -> Callable[[], object]:
        text = "a = [ " + piece * size

        def work() -> None:
            with suppress(ImportFailedError):
                parse(text, "x")

        return work

    assert growth(build, 2_000) <= LINEAR
