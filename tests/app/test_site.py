"""Configuration and rules read as a whole, and what the parts of a front are made from."""

import shutil
from pathlib import Path

import pytest

from filterd.app.nursery import FULL, nursery_settings
from filterd.app.policies import on_unknown
from filterd.app.site import load_config, load_site
from filterd.checks.registry import ALL
from filterd.config import Config, ConfigError
from filterd.inspectors import SandboxLevel
from filterd.ipc.messages import NOBODY
from filterd.model.session import TrustClass
from filterd.model.verdict import Action
from tests.conftest import ROOT


def _config(**tables: object) -> Config:
    return Config.model_validate(tables)


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """A copy of the shipped rules."""
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    return tmp_path / "rules"


def test_the_shipped_configuration_loads() -> None:
    """Defaults and shipped rules fit together."""
    site = load_site(Config())
    assert site.zones
    assert site.scores.symbols["DMARC_REJECT"].floor is Action.QUARANTINE


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"trust": {"skip": {"local": ["spv"]}}}, "/x/filterd.toml: [trust.skip] local: expected one of"),
        ({"actions": {"on_unknown": {"dnsbI": "defer"}}}, "got 'dnsbI'; did you mean 'dnsbl'?"),
        ({"trust": {"skip": {"local": ["inspector"]}}}, "got 'inspector'"),
        ({"actions": {"reject": 8.0, "quarantine": 7.0}}, "groups.authentication.cap: expected less than"),
    ],
)
def test_what_does_not_fit_together_is_refused(tables: dict[str, object], words: str) -> None:
    """A name no check has, and thresholds under which authentication alone would reject."""
    with pytest.raises(ConfigError) as caught:
        load_site(_config(**tables), Path("/x/filterd.toml"))
    assert words in str(caught.value)


def test_rules_that_are_not_whole_are_refused(rules: Path) -> None:
    """Every missing part at once, with its path."""
    shutil.rmtree(rules / "yara")
    scores = (rules / "scores.toml").read_text()
    (rules / "scores.toml").write_text(scores.replace("DNSBL_SPAMCOP", "DNSBL_OTHER"))
    with pytest.raises(ConfigError) as caught:
        load_site(_config(rules={"path": rules}))
    assert f"{rules}/yara: expected a directory" in str(caught.value)
    assert "DNSBL_SPAMCOP has no row in scores.toml" in str(caught.value)


@pytest.mark.parametrize(
    "name", ["scores.toml", "dnsbl.toml", "phrases.toml", "hosts.toml", "indicators.toml", "yara/new.yar"]
)
def test_the_rules_id_changes_with_any_byte(rules: Path, name: str) -> None:
    """Evidence names what judged: another comment is another rule set."""
    config = _config(rules={"path": rules})
    before = load_site(config).rules_id
    assert load_site(config).rules_id == before
    with (rules / name).open("a") as file:
        file.write("\n# another word\n" if name.endswith("toml") else "rule New { condition: false }\n")
    assert load_site(config).rules_id != before


def test_floors_follow_the_actions() -> None:
    """`dmarc_reject` and `unscannable` are the operator's words for what those symbols lead to at least."""
    tables = {"actions": {"dmarc_reject": "score", "unscannable": "reject"}}
    symbols = load_site(_config(**tables)).scores.symbols
    assert symbols["DMARC_REJECT"].floor is None
    floors = {rule.floor for name, rule in symbols.items() if name.startswith("UNSCANNABLE_")}
    assert floors <= {Action.REJECT, None}
    assert Action.REJECT in floors


def test_unknown_has_an_action_for_every_check_and_class() -> None:
    """`continue` is accept, which leaves it to the others; an inspector that died defers unless told otherwise."""
    found = on_unknown(_config(actions={"on_unknown": {"dnsbl": "defer", "spf": {"stranger": "quarantine"}}}).actions)
    assert found.keys() == {*ALL, "inspector"}
    assert set(found["dnsbl"].values()) == {Action.DEFER}
    assert found["spf"][TrustClass.STRANGER] is Action.QUARANTINE
    assert found["spf"][TrustClass.LOCAL] is Action.ACCEPT
    assert set(found["dkim"].values()) == {Action.ACCEPT}
    assert set(found["inspector"].values()) == {Action.DEFER}


def test_the_command_line_overrides_and_is_checked(tmp_path: Path) -> None:
    """Address and name server: taken where they can be meant, refused with what was expected where not."""
    file = tmp_path / "filterd.toml"
    file.write_text("[milter]\nworkers = 3\n")
    config = load_config(file, listen="inet:8891@127.0.0.1", nameserver="192.0.2.53:5353")
    assert (config.milter.address.port, config.milter.workers) == (8891, 3)
    assert config.dns.servers == (("192.0.2.53", 5353),)
    for wrong in ({"listen": "nonsense:"}, {"nameserver": "ns.example"}):
        with pytest.raises(ConfigError, match=r"command line: expected"):
            load_config(file, **wrong)


@pytest.mark.parametrize(
    ("sandbox", "walls", "demand"),
    [("best", True, SandboxLevel()), ("required", True, FULL), ("off", False, SandboxLevel())],
)
def test_inspectors_get_the_walls_that_were_asked_for(sandbox: str, *, walls: bool, demand: SandboxLevel) -> None:
    """`best` takes what there is, `required` refuses less, `off` builds none."""
    settings = nursery_settings(_config(inspectors={"sandbox": sandbox}))
    assert (settings.walls, settings.demand) == (walls, demand)


def test_limits_reach_the_inspectors(rules: Path) -> None:
    """Memory, time, number of messages, bytes analysed, and where the rules are."""
    config = _config(
        rules={"path": rules},
        inspectors={"memory": 512 << 20, "seconds": 12.5, "recycle": 7},
        limits={"message_bytes": 200_000},
    )
    settings = nursery_settings(config)
    assert (settings.memory, settings.cpu_seconds, settings.messages) == (512 << 20, 12, 7)
    assert (settings.analysed, settings.rules) == (200_000, str(rules / "yara"))
    assert (settings.uid, settings.gid) == (NOBODY, NOBODY)


def test_an_inspectors_user_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only root can change to one; then a name that is none is an error, not nobody."""
    config = _config(inspectors={"user": "no-such-user"})
    monkeypatch.setattr("os.geteuid", lambda: 0)
    with pytest.raises(ConfigError, match="expected a user of this machine, got 'no-such-user'"):
        nursery_settings(config)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert nursery_settings(config).uid == NOBODY
