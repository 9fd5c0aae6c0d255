"""Rule files to one set: a broken file costs itself alone, in a child that may crash."""

import faulthandler
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import yara

from filterd.yarascan import check as check_module
from filterd.yarascan import compile as module
from filterd.yarascan.cache import Kept
from filterd.yarascan.compile import RulesError, compile_apart, compile_here
from filterd.yarascan.sources import RuleFile

GOOD = 'rule good { strings: $a = "needle" condition: $a }'
OLD = 'rule old { strings: $a = "needle" condition: $a }'
BROKEN = "rule broken {\n condition:\n $nothing }"
NESTED = "rule slow { condition: for any i in (1..filesize) : (for any j in (1..filesize) : (i * j < 0)) }"


def file(text: str, name: str = "a") -> RuleFile:
    """A rule file as read."""
    return RuleFile(Path(f"/rules/{name}.yar"), name, text)


def names(kept: Kept) -> list[str]:
    """The rules of a compiled set, by name."""
    with os.fdopen(os.memfd_create("set"), "w+b") as memory:
        memory.write(kept.joint)
        memory.seek(0)
        return sorted(rule.identifier for rule in yara.load(file=memory))


def replaced(original: Callable[[RuleFile], tuple[str, bytes]], word: str, act: Callable[[], object]) -> object:
    """A check that acts on files that hold a word, as a bug of the compiler would."""

    def check(one: RuleFile) -> tuple[str, bytes]:
        if word in one.text and not one.problem:
            act()
        return original(one)

    return check


def test_a_broken_file_is_told_with_its_line_and_left_out() -> None:
    """The other files' rules are all there."""
    kept = compile_apart([file(GOOD), file(BROKEN, "b"), file(OLD, "c")], {}).kept
    assert names(kept) == ["good", "old"]
    assert kept.problems == ('/rules/b.yar: line 3: undefined string "$nothing"',)
    assert (sorted(kept.alone), kept.replaced) == (["a", "c"], {"b": ""})


@pytest.mark.threat("RES-11")
def test_a_broken_file_is_replaced_by_its_last_good_text() -> None:
    """A typing error does not disarm rules that worked yesterday."""
    compiled = compile_apart([file(BROKEN), file(GOOD, "b")], {"a": OLD, "b": "older", "gone": OLD})
    assert names(compiled.kept) == ["good", "old"]
    assert compiled.texts == {"a": OLD, "b": GOOD}
    assert compiled.kept.problems[0].endswith("; its last good version stays in use")
    assert compiled.kept.replaced.keys() == {"a"}


def test_a_last_text_that_does_not_compile_any_more_is_no_help() -> None:
    """Another libyara may refuse what an older one took."""
    kept = compile_apart([file(BROKEN), file(GOOD, "b")], {"a": BROKEN}).kept
    assert names(kept) == ["good"]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ('include "/etc/passwd"\n' + GOOD, "includes are disabled"),
        ('import "console"\n' + GOOD, "imports what rules may not have: console"),
        ('import "cuckoo"\n' + GOOD, "imports what rules may not have: cuckoo"),
        ("rule a { condition: unknown_variable }", "undefined identifier"),
        (GOOD + "\0" + GOOD, "holds a NUL"),
        (GOOD + "\udcff", "is not UTF-8"),
        ("YARA\x02" + "x" * 100, "non-ascii character"),
        (
            "rule a { strings: "
            + "".join([f'$s{n} = "string{n}"\n' for n in range(10_001)])
            + "condition: any of them }",
            "",
        ),
    ],
)
@pytest.mark.threat("OPS-04")
def test_what_rules_may_not_be(text: str, cause: str) -> None:
    """Includes, foreign modules, unknown variables, binary text, compiled rules, too many strings are left out."""
    kept = compile_apart([file(text), file(GOOD, "b")], {}).kept
    assert names(kept) == ["good"]
    assert cause in kept.problems[0]


@pytest.mark.threat("OPS-04")
def test_a_regular_expression_of_a_megabyte_is_bounded() -> None:
    """It compiles or is told, in the child's limits; the other file is there in any case."""
    text = "rule big { strings: $a = /" + "(ab|cd)" * 150_000 + "/ condition: $a }"
    assert "good" in names(compile_apart([file(text), file(GOOD, "b")], {}).kept)


@pytest.mark.threat("RES-10")
@pytest.mark.parametrize("text", [NESTED, "rule a { strings: $a = /(a+)+$/ condition: $a }"])
def test_a_file_that_is_slow_is_told_and_left_out(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """Nested loops over every byte, and a repetition in a repetition, do not reach any mail."""
    monkeypatch.setattr(check_module, "CANARY_SECONDS", 1)
    kept = compile_apart([file(text), file(GOOD, "b")], {}).kept
    assert names(kept) == ["good"]
    assert kept.problems == ("/rules/a.yar: takes more than 1 s for 1000000 bytes",)


def test_two_files_of_one_name_cannot_both_be_used() -> None:
    """a.yar and a.yara would share a namespace: the first is taken and the other told."""
    second = RuleFile(Path("/rules/a.yara"), "a", OLD)
    kept = compile_apart([file(GOOD), second], {}).kept
    assert (names(kept), kept.problems) == (["good"], ("/rules/a.yara: another file has the same name without suffix",))


def test_the_same_rule_in_two_files_is_no_conflict() -> None:
    """Each file is a namespace."""
    assert names(compile_apart([file(GOOD), file(GOOD, "b")], {}).kept) == ["good", "good"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_file_that_ends_the_compiler_is_told_and_left_out(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A crash of libyara on one file costs that file."""

    def die() -> None:
        faulthandler.disable()  # pytest's own would print
        os.kill(os.getpid(), number)

    monkeypatch.setattr(module, "check", replaced(check_module.check, "needle", die))
    kept = compile_apart([file("rule a { condition: true }"), file(GOOD, "b")], {}).kept
    assert names(kept) == ["a"]
    assert kept.problems == ("/rules/b.yar: ended the compiler (crash, time or memory limit)",)


def test_a_last_good_text_that_ends_the_compiler_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """First the new text, then the old one end the child: the file is left out, and the rest is compiled."""
    monkeypatch.setattr(module, "check", replaced(check_module.check, "needle", lambda: os._exit(7)))
    compiled = compile_apart([file(GOOD), file("rule a { condition: true }", "b")], {"a": OLD})
    assert (names(compiled.kept), list(compiled.texts)) == (["a"], ["b"])


def test_a_file_that_compiles_for_ever_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its CPU time is bounded, also inside of C code."""

    def spin() -> None:
        while True:
            pass

    monkeypatch.setattr(module, "FILE_SECONDS", 0.2)
    monkeypatch.setattr(module, "check", replaced(check_module.check, "needle", spin))
    assert names(compile_apart([file(GOOD), file("rule a { condition: true }", "b")], {}).kept) == ["a"]


def test_where_all_together_end_the_compiler_there_is_no_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is an error and no empty set."""
    monkeypatch.setattr(yara, "compile", lambda **_: os._exit(7))
    monkeypatch.setattr(module, "check", lambda _: ("", b"compiled"))
    with pytest.raises(RulesError, match="together"):
        compile_apart([file(GOOD)], {})


@pytest.mark.threat("RES-11")
def test_no_usable_file_is_an_error() -> None:
    """A filter that silently has no rules is worse than one that does not start."""
    with pytest.raises(RulesError, match=r"no rule file can be used: /rules/a\.yar: line 3"):
        compile_apart([file(BROKEN)], {})


@pytest.mark.skipif(os.geteuid() != 0, reason="ids can be dropped by root only")
def test_root_does_not_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler reads a team's text with the rights of nobody."""
    monkeypatch.setattr(module, "check", lambda one: (f"{one.path}: {os.getresuid()} {os.getgroups()}", b""))
    with pytest.raises(RulesError, match=r"\(65534, 65534, 65534\) \[\]"):
        compile_apart([file(GOOD)], {})


def test_the_same_files_give_the_same_set_here_and_apart() -> None:
    """The child adds nothing of its own."""
    assert compile_here([file(GOOD)], {}) == compile_apart([file(GOOD)], {})
