"""[policies.NAME] in filterd.toml: what holds for whom, and what is said where that cannot be meant."""

from pathlib import Path

import pytest

from filterd.app.site import Site, load_config, load_site
from filterd.config import ConfigError
from filterd.model.session import TrustClass
from filterd.model.verdict import Action
from filterd.pipeline.policies import Policy


def _site(folder: Path, text: str) -> Site:
    path = folder / "filterd.toml"
    path.write_text(text)
    return load_site(load_config(path), path)


def _policy(folder: Path, text: str, address: str = "user@a.test") -> Policy:
    site = _site(folder, f'[policies.p]\nrecipients = ["a.test"]\n{text}')
    found = site.policies.of(address) if site.policies else None
    assert found is not None
    return found


def test_without_a_table_there_are_no_policies(tmp_path: Path) -> None:
    """Nobody pays for what nobody uses."""
    assert _site(tmp_path, "").policies is None


def test_what_a_policy_leaves_out_is_as_in_actions(tmp_path: Path) -> None:
    """Threshold by threshold, check by check."""
    policy = _policy(
        tmp_path,
        'quarantine = 8\non_unknown = { spf = "defer" }\n'
        '[actions]\nreject = 20\non_unknown = { spf = "add_header", dkim = "add_header" }\n'
        'on_result = { spf = { fail = "quarantine" } }\n',
    )
    decision = policy.decision
    assert (decision.name, decision.reject, decision.quarantine, decision.add_header) == ("p", 20.0, 8.0, 6.0)
    assert decision.on_unknown["spf"][TrustClass.STRANGER] is Action.DEFER
    assert decision.on_unknown["dkim"][TrustClass.STRANGER] is Action.ADD_HEADER
    assert decision.on_unknown["inspector"][TrustClass.STRANGER] is Action.DEFER
    assert decision.on_result["spf"]["fail"][TrustClass.STRANGER] is Action.QUARANTINE
    assert (decision.observe, decision.off, decision.laws) == (False, False, {})


def test_a_policy_without_scores_of_its_own_has_the_sites(tmp_path: Path) -> None:
    """The same object: nothing is added up twice."""
    site = _site(tmp_path, '[policies.p]\nrecipients = ["a.test"]\nobserve = true\n')
    policy = site.policies.of("x@a.test") if site.policies else None
    assert policy is not None
    assert policy.scores is site.scores
    assert policy.decision.observe


def test_floors_and_weights_are_the_policys_own(tmp_path: Path) -> None:
    """What is said of DMARC, of what cannot be read, and of single symbols; the site's stay as they are."""
    text = 'dmarc_reject = "reject"\nunscannable = "defer"\nscores = { CLAMD_VIRUS = { floor = "reject" } }\n'
    policy = _policy(tmp_path, text)
    rows = policy.scores.symbols
    assert (rows["DMARC_REJECT"].floor, rows["UNSCANNABLE_BOMB"].floor) == (Action.REJECT, Action.DEFER)
    assert rows["CLAMD_VIRUS"].floor is Action.REJECT
    site = _site(tmp_path, "").scores.symbols
    assert (site["DMARC_REJECT"].floor, site["CLAMD_VIRUS"].floor) == (Action.QUARANTINE, Action.QUARANTINE)
    changed = {name for name in site if rows[name] != site[name]}
    assert {name for name in changed if not name.startswith("UNSCANNABLE_")} == {"DMARC_REJECT", "CLAMD_VIRUS"}


def test_floors_of_the_sites_rules_stay_where_a_policy_is_silent(tmp_path: Path) -> None:
    """[rules.scores] says it for everybody; a policy that says something else goes before it."""
    site = '[rules.scores]\nDMARC_REJECT = { floor = "accept" }\nUNSCANNABLE_BOMB = { off = true }\n'
    assert _policy(tmp_path, f"quarantine = 9\n{site}").scores.symbols["DMARC_REJECT"].floor is Action.ACCEPT
    strict = _policy(tmp_path, f'dmarc_reject = "quarantine"\nunscannable = "reject"\n{site}').scores.symbols
    assert strict["DMARC_REJECT"].floor is Action.QUARANTINE
    assert strict["UNSCANNABLE_BOMB"].off


def test_a_policy_that_is_off_knows_the_laws(tmp_path: Path) -> None:
    """What cannot be read whole is treated as for everybody, and nothing else is."""
    decision = _policy(tmp_path, 'off = true\n[actions]\nunscannable = "reject"\n').decision
    assert decision.off
    assert decision.laws["UNSCANNABLE_ENCRYPTED"] is Action.REJECT
    assert all(name.startswith("UNSCANNABLE_") for name in decision.laws)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("[policies.p]\nquarantine = 3\n", ":1: [policies] p:", "expected recipients = ["),
        ('[policies.p]\nrecipients = ["a.test"]\nrejct = 3\n', ":3: [policies] p.rejct:", 'did you mean "reject"?'),
        ('[policies.p]\nrecipients = ["@a.test"]\n', ":2: [policies] p.recipients.0:", "a domain stands without @"),
        ('[policies.p]\nrecipients = ["a.test", "*"]\n', ":2: [policies] p.recipients.1:", "got '*'"),
        (
            '[policies.p]\nrecipients = ["a.test"]\n[policies.q]\nrecipients = ["b.test", "A.test."]\n',
            ":4: [policies] q.recipients.1:",
            "A.test. stands in p already",
        ),
        ('[policies."a b"]\nrecipients = ["a.test"]\n', "[policies]", "expected a name of at most 40 letters"),
        (
            '[policies.p]\nrecipients = ["a.test"]\nquarantine = 4\n',
            ":1: [policies] p:",
            "expected add_header <= quarantine <= reject, together with [actions]; that is 6 <= 4 <= 15",
        ),
        (
            '[policies.p]\nrecipients = ["a.test"]\nreject = 9\nquarantine = 8\n',
            ":1: [policies] p:",
            "expected less than [policies] p.reject = 9, got 9",
        ),
        (
            '[policies.p]\nrecipients = ["a.test"]\noff = true\nreject = 30\n',
            ":1: [policies] p:",
            "off = true leaves nothing to decide: expected no reject",
        ),
        (
            '[policies.p]\nrecipients = ["a.test"]\nscores = { SPF_FIAL = { weight = 1 } }\n',
            ":3: [policies] p.scores.SPF_FIAL:",
            "unknown symbol; did you mean SPF_FAIL?",
        ),
        (
            '[policies.p]\nrecipients = ["a.test"]\non_unknown = { spv = "defer" }\n',
            "[policies.p.on_unknown]:",
            "got 'spv'; did you mean 'spf'?",
        ),
        (
            '[policies.p]\nrecipients = ["a.test"]\non_unknown = { inspector = "continue" }\n',
            ":3: [policies] p.on_unknown:",
            "expected one of defer, quarantine",
        ),
    ],
)
@pytest.mark.threat("OPS-05")
def test_what_cannot_be_meant_is_named_with_file_and_key(tmp_path: Path, text: str, place: str, words: str) -> None:
    """And with what was expected."""
    with pytest.raises(ConfigError) as refused:
        _site(tmp_path, text)
    assert any(place in line and words in line for line in refused.value.problems), refused.value.problems
    assert str(tmp_path / "filterd.toml") in str(refused.value)
