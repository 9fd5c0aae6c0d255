"""A rules directory to a set, through the cache: what is loaded is what was written."""

import os
from pathlib import Path

import pytest
import yara

from filterd.yarascan import load as module
from filterd.yarascan.cache import KEPT, Kept, load, store
from filterd.yarascan.compile import Compiled, RulesError, compile_apart
from filterd.yarascan.externals import EXTERNALS
from filterd.yarascan.load import MAX_PROBLEMS, RuleSet, load_rules

GOOD = 'rule good { strings: $a = "needle" condition: $a }'
BETTER = 'rule better { strings: $a = "needle" condition: $a }'
BROKEN = "rule broken { condition: $nothing }"


def directory(root: Path, **texts: str) -> Path:
    """A rules directory with these files."""
    rules = root / "rules"
    rules.mkdir(exist_ok=True)
    for name, text in texts.items():
        (rules / f"{name}.yar").write_text(text)
    return rules


def matching(rule_set: RuleSet) -> list[str]:
    """The rules that match a needle."""
    return sorted(match.rule for match in rule_set.rules.match(data=b"a needle in hay"))


def compiled_again(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by every compilation from now on."""
    count: list[int] = []

    def counting(*arguments: object) -> Compiled:
        count.append(1)
        return compile_apart(*arguments)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(module, "compile_apart", counting)
    return count


def test_a_second_start_takes_the_set_from_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules, id and problems, and nothing is compiled."""
    rules = directory(tmp_path, a=GOOD, b=BROKEN)
    first = load_rules(rules, tmp_path / "cache")
    count = compiled_again(monkeypatch)
    second = load_rules(rules, tmp_path / "cache")
    assert (count, matching(second), second.id, second.problems) == ([], ["good"], first.id, first.problems)
    assert second.alone == first.alone


@pytest.mark.parametrize("change", ["text", "file", "name", "external", "libyara"])
def test_whatever_goes_into_a_set_is_in_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    """Any change compiles anew."""
    rules = directory(tmp_path, a=GOOD)
    first = load_rules(rules, tmp_path / "cache")
    count = compiled_again(monkeypatch)
    if change == "text":
        directory(tmp_path, a=GOOD + " ")
    elif change == "file":
        directory(tmp_path, b=BETTER)
    elif change == "name":
        (rules / "a.yar").rename(rules / "b.yar")
    elif change == "external":
        monkeypatch.setitem(EXTERNALS, "novel", "")
    else:
        monkeypatch.setattr(yara, "YARA_VERSION", "4.99")
    assert load_rules(rules, tmp_path / "cache").id != first.id
    assert count == [1]


@pytest.mark.threat("OPS-04")
def test_a_set_that_was_tampered_with_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bit anywhere, or a piece cut off: compiled anew, for a damaged set crashes libyara."""
    rules, cache = directory(tmp_path, a=GOOD), tmp_path / "cache"
    load_rules(rules, cache)
    path = next(cache.glob("*.rules"))
    whole = path.read_bytes()
    flips = [whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :] for at in range(0, len(whole), len(whole) // 20)]
    count = compiled_again(monkeypatch)
    damaged = [*flips, whole[:-1], whole[:100], whole + b"x", b""]
    for data in damaged:
        path.write_bytes(data)
        assert matching(load_rules(rules, cache)) == ["good"]
    assert len(count) == len(damaged)


@pytest.mark.threat("OPS-04")
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_cache_that_others_can_write_to_is_neither_read_nor_written(tmp_path: Path, mode: int) -> None:
    """What lies there may be anybody's code."""
    cache = tmp_path / "cache"
    cache.mkdir()
    store(cache, "key", Kept(b"x", {}))
    cache.chmod(mode)
    assert load(cache, "key") is None
    load_rules(directory(tmp_path, a=GOOD), cache)
    assert [path.name for path in cache.iterdir()] == ["key.rules"]


def test_without_a_place_for_the_cache_rules_load_all_the_same(tmp_path: Path) -> None:
    """The next start compiles again, and nothing else is lost."""
    (tmp_path / "file").write_text("")
    assert matching(load_rules(directory(tmp_path, a=GOOD), tmp_path / "file" / "cache")) == ["good"]
    assert matching(load_rules(directory(tmp_path, a=GOOD))) == ["good"]


def test_the_cache_keeps_the_newest_sets(tmp_path: Path) -> None:
    """It does not grow with every edit, and holds no drafts."""
    for number in range(KEPT + 3):
        store(tmp_path, f"key{number}", Kept(b"x", {}))
        os.utime(tmp_path / f"key{number}.rules", (number, number))
    store(tmp_path, "newest", Kept(b"x", {}))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *[f"key{number}.rules" for number in range(4, KEPT + 3)],
        "newest.rules",
    ]


@pytest.mark.threat("RES-11")
def test_an_edit_that_breaks_a_file_keeps_its_last_good_rules(tmp_path: Path) -> None:
    """After any number of starts, until the file is mended or removed; the set's id says that it is another one."""
    cache = tmp_path / "cache"
    ids = [load_rules(directory(tmp_path, a=GOOD, b=BETTER), cache).id]
    rules = directory(tmp_path, a=BROKEN)
    for _ in range(3):
        held = load_rules(rules, cache)
        assert matching(held) == ["better", "good"]
        assert held.problems == (
            f'{rules}/a.yar: line 1: undefined string "$nothing"; its last good version stays in use',
        )
        ids.append(held.id)
    mended = load_rules(directory(tmp_path, a="rule mended { condition: true }"), cache)
    assert (matching(mended), mended.problems) == (["better", "mended"], ())
    (rules / "a.yar").unlink()
    assert matching(load_rules(rules, cache)) == ["better"]
    assert len({*ids, mended.id}) == 3


def test_a_cached_set_does_not_bring_an_older_last_good_text_back(tmp_path: Path) -> None:
    """The same broken text after another good one: that one is the last."""
    cache = tmp_path / "cache"
    found = [
        matching(load_rules(directory(tmp_path, a=text), cache)) for text in (GOOD, BROKEN, BETTER, BROKEN, BROKEN)
    ]
    assert found == [["good"], ["good"], ["better"], ["better"], ["better"]]


def test_directories_do_not_share_their_last_good_texts(tmp_path: Path) -> None:
    """Trying other rules with the same cache changes nothing for these."""
    (tmp_path / "other").mkdir()
    load_rules(directory(tmp_path, a=GOOD), tmp_path / "cache")
    load_rules(directory(tmp_path / "other", a=BETTER), tmp_path / "cache")
    assert matching(load_rules(directory(tmp_path, a=BROKEN), tmp_path / "cache")) == ["good"]


@pytest.mark.threat("RES-11")
def test_rules_of_which_none_can_be_used_are_an_error(tmp_path: Path) -> None:
    """So is a directory that is not there; one without files is the operator's wish."""
    with pytest.raises(RulesError, match="no rule file can be used"):
        load_rules(directory(tmp_path, a=BROKEN), tmp_path / "cache")
    with pytest.raises(NotADirectoryError):
        load_rules(tmp_path / "gone")
    (tmp_path / "empty").mkdir()
    empty = load_rules(tmp_path / "empty")
    assert (empty.rules, empty.problems) == (None, ())
    assert empty.id != ""


def test_problems_are_bounded_and_can_be_told(tmp_path: Path) -> None:
    """A directory of broken files does not fill the log."""
    rules = directory(tmp_path, a=GOOD)
    for number in range(MAX_PROBLEMS + 10):
        (rules / f"broken{number}.yar").write_bytes(b"\xff")
    problems = load_rules(rules).problems
    assert (len(problems), problems[-1]) == (MAX_PROBLEMS + 1, "and 10 more")


def test_a_name_that_is_no_text_costs_its_file_alone(tmp_path: Path) -> None:
    """Its problem can be sent and logged."""
    rules = directory(tmp_path, a=GOOD)
    Path(os.fsdecode(os.fsencode(rules) + b"/\xff.yar")).write_text(BETTER)
    found = load_rules(rules)
    assert matching(found) == ["good"]
    assert found.problems == (f"{rules}/?.yar: the name is not UTF-8",)
