from pathlib import Path

import pytest

from filterd.config import Config, ConfigError, Listen, ListenKind, OnUnknown, load
from filterd.config.decisions import Actions, Replies
from filterd.config.listen import parse_listen, parse_nameserver
from filterd.config.reference import as_toml
from filterd.config.results import OnResult
from filterd.config.secrets import SecretError, read_secret
from filterd.config.sections import Milter, Trust
from filterd.model.session import TrustClass


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unix:/run/x.sock", Listen(ListenKind.UNIX, path="/run/x.sock")),
        ("local:var/x.sock", Listen(ListenKind.UNIX, path="var/x.sock")),
        ("inet:8891@127.0.0.1", Listen(ListenKind.INET, host="127.0.0.1", port=8891)),
        ("inet:8891", Listen(ListenKind.INET, host="127.0.0.1", port=8891)),
        ("inet:127.0.0.1:8891", Listen(ListenKind.INET, host="127.0.0.1", port=8891)),
        ("127.0.0.1:9090", Listen(ListenKind.INET, host="127.0.0.1", port=9090)),
        ("inet6:8891@::1", Listen(ListenKind.INET6, host="::1", port=8891)),
        ("inet:[::1]:8891", Listen(ListenKind.INET6, host="::1", port=8891)),
    ],
)
def test_addresses_are_read_in_both_spellings(text: str, expected: Listen) -> None:
    """Postfix writes host:port, libmilter port@host."""
    assert parse_listen(text) == expected


@pytest.mark.parametrize(
    "text", ["", "unix:", "unix:" + "x" * 108, "inet:0@h", "inet:65536@h", "inet:h", "8891@", "a b"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """An address that cannot be bound is told at start, before anything runs."""
    with pytest.raises(ValueError, match="expected"):
        parse_listen(text)


def test_an_address_is_written_for_libmilter_and_for_postfix() -> None:
    """The two spellings of one address."""
    listen = parse_listen("inet6:8891@::1")
    assert (listen.libmilter, listen.postfix) == ("inet6:8891@::1", "inet:[::1]:8891")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
    ],
)
def test_nameservers_are_addresses_with_an_optional_port(text: str, expected: tuple[str, int]) -> None:
    """All usual spellings are read."""
    assert parse_nameserver(text) == expected


@pytest.mark.parametrize(
    "text", ["", "dns.example", "192.0.2.1:0", "192.0.2.1:x", "[::1", "[::1]53", "192.0.2.1:\u0665"]
)
def test_what_is_no_nameserver_is_refused(text: str) -> None:
    """A name would have to be resolved by the resolver it names."""
    with pytest.raises(ValueError, match="expected"):
        parse_nameserver(text)


def test_unknown_continues_by_default_and_an_inspector_defers() -> None:
    """A lookup that failed leaves the message to the other checks; a message nobody read is tried again."""
    actions = Actions()
    assert actions.unknown("spf", TrustClass.STRANGER) is OnUnknown.CONTINUE
    assert actions.unknown("inspector", TrustClass.LOCAL) is OnUnknown.DEFER


def test_unknown_is_chosen_per_check_and_trust_class(tmp_path: Path) -> None:
    """A word means all classes, a table the ones it names."""
    path = tmp_path / "filterd.toml"
    path.write_text('[actions.on_unknown]\ndmarc = "quarantine"\nspf = { stranger = "defer" }\n')
    actions = load(path).actions
    assert actions.unknown("dmarc", TrustClass.RELAY) is OnUnknown.QUARANTINE
    assert actions.unknown("spf", TrustClass.STRANGER) is OnUnknown.DEFER
    assert actions.unknown("spf", TrustClass.LOCAL) is OnUnknown.CONTINUE


@pytest.mark.parametrize("word", ["continue", "add_header", "accept"])
def test_a_message_nobody_read_cannot_be_let_through(word: str) -> None:
    """Killing the inspector must not be the way around it."""
    with pytest.raises(ValueError, match="inspector: expected one of defer, quarantine"):
        Actions.model_validate({"on_unknown": {"inspector": word}})


def test_results_lead_to_actions_per_check_and_trust_class(tmp_path: Path) -> None:
    """A word means all classes, a table the ones it names; what is shown can be read again."""
    path = tmp_path / "filterd.toml"
    path.write_text('[actions.on_result]\nspf = { fail = "reject", softfail = { stranger = "add_header" } }\n')
    table = load(path).actions.on_result
    assert table["spf"]["fail"] == dict.fromkeys(TrustClass, OnResult.REJECT)
    assert table["spf"]["softfail"] == {TrustClass.STRANGER: OnResult.ADD_HEADER}
    path.write_text(as_toml(load(path)))
    assert load(path).actions.on_result == table


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"dnsbl": {"fail": "reject"}}, "expected a check with results"),
        ({"spf": "reject"}, "spf: expected a table"),
        ({"spf": {"failed": "reject"}}, "spf: expected a result"),
        ({"spf": {"fail": "refuse"}}, "spf.fail: expected one of score"),
        ({"spf": {"fail": {"friend": "reject"}}}, "spf.fail: expected a trust class"),
        ({"dmarc": {"temperror": "reject"}}, "dmarc.temperror: expected one of score, add_header, defer, quarantine"),
    ],
)
def test_a_result_that_does_not_exist_is_refused(table: object, problem: str) -> None:
    """What could not be checked is no reason to refuse mail either."""
    with pytest.raises(ValueError, match=problem):
        Actions.model_validate({"on_result": table})


def test_senders_are_named_by_what_they_prove(tmp_path: Path) -> None:
    """[trust] allow and [dmarc] forwarders take the same entries and are shown as written."""
    path = tmp_path / "filterd.toml"
    path.write_text(
        '[trust]\nallow = ["dkim:example.org", "ip:192.0.2.0/24"]\n'
        '[dmarc]\nforwarders = ["spf:.example.net"]\nmailing_lists = [".Lists.example", "example.com."]\n'
    )
    config = load(path)
    assert [str(entry) for entry in (*config.trust.allow, *config.dmarc.forwarders)] == [
        "dkim:example.org",
        "ip:192.0.2.0/24",
        "spf:.example.net",
    ]
    assert config.dmarc.mailing_lists == (".lists.example", "example.com")
    path.write_text(as_toml(config))
    assert load(path) == config


@pytest.mark.parametrize("section", ["[trust]\nallow", "[dmarc]\nforwarders"])
def test_a_from_address_cannot_be_allowed(tmp_path: Path, section: str) -> None:
    """Anybody writes what he likes there."""
    path = tmp_path / "filterd.toml"
    path.write_text(f'{section} = ["anna@example.org"]\n')
    with pytest.raises(ConfigError, match="expected entries such as"):
        load(path)


def test_thresholds_are_in_order() -> None:
    """A message is not refused for less than it is held for."""
    with pytest.raises(ValueError, match="add_header <= quarantine <= reject"):
        Actions(reject=5, quarantine=10)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("caf\u00e9", "printable ASCII"),
        ("a\nb", "printable ASCII"),
        ("x" * 481, "at most 480"),
        ("{id.__class__}", "expected {id} and {contact} only"),
    ],
)
def test_a_reply_that_cannot_be_sent_is_refused(text: str, problem: str) -> None:
    """It is found at start, not when the first message is refused."""
    with pytest.raises(ValueError, match=problem):
        Replies(reject=text)


def test_a_reply_is_filled_in() -> None:
    """The public id and the contact stand where their placeholders stood."""
    replies = Replies(contact="postmaster@example.org")
    assert replies.fill(replies.reject, "ABC") == "Message refused; ask postmaster@example.org about ABC"


def test_host_bits_in_a_network_are_refused() -> None:
    """Trusting a /8 by a slip of the pen would be expensive."""
    with pytest.raises(ValueError, match="host bits set"):
        Trust.model_validate({"networks": ["10.1.2.3/8"]})


def test_checks_are_left_out_for_our_own() -> None:
    """Mail of our users is not judged by records that name our servers; strangers' is."""
    trust = Trust()
    assert "spf" in trust.skips(TrustClass.LOCAL)
    assert trust.skips(TrustClass.STRANGER) == ()


def test_sealers_are_domains_in_one_spelling() -> None:
    """They are compared with names from seals, which are in lower case and A-labels."""
    assert Trust(arc_sealers=("List.Example.", "list.example", "xn--bcher-kva.example")).arc_sealers == (
        "list.example",
        "xn--bcher-kva.example",
    )
    assert Trust().arc_sealers == ()


@pytest.mark.parametrize(
    "name", ["", "example", ".", "a..b", "b\u00fccher.example", "*.example", "a@b.example", "a b.c"]
)
def test_a_sealer_that_is_no_domain_is_refused(name: str) -> None:
    """It would silently match nothing."""
    with pytest.raises(ValueError, match="expected domain names"):
        Trust(arc_sealers=("list.example", name))


def test_no_workers_means_one_per_core() -> None:
    """The number is never 0."""
    assert Milter().fronts >= 1
    assert Milter(workers=3).fronts == 3


def test_derived_values_have_sensible_defaults() -> None:
    """Without a configuration everything lives under var/, and the shipped rules are found."""
    config = Config()
    assert config.runtime_directory == config.state_directory == Path("var")
    assert (config.rules_directory / "scores.toml").is_file()
    assert config.authserv_id


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
@pytest.mark.threat("OPS-05")
def test_a_secret_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    """Neither readable nor writable for other users."""
    path = tmp_path / "secret"
    path.write_text("geheim")
    path.chmod(mode)
    with pytest.raises(SecretError, match="other users") as caught:
        read_secret(path)
    assert "geheim" not in str(caught.value)


def test_a_secret_is_the_first_line(tmp_path: Path) -> None:
    """Editors end lines; passwords do not."""
    path = tmp_path / "secret"
    path.write_text("geheim \r\nmore\n")
    path.chmod(0o600)
    assert read_secret(path) == "geheim "


def test_a_directory_or_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    """An empty password would be sent as one."""
    path = tmp_path / "secret"
    path.touch(0o600)
    for wrong in (tmp_path, path, tmp_path / "absent"):
        with pytest.raises(SecretError):
            read_secret(wrong)
