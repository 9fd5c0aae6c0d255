"""How a held message is shown: its tree, where links lead, what rules matched."""

from filterd.cli import view
from filterd.model.inspection import Inspection, PartFacts, RuleHit, Shown, ShownLink


def part(path: str, kind: str = "text/plain", name: str = "") -> PartFacts:
    """A part."""
    return PartFacts(path, kind, kind, name, 5, "ab", path.count("."))


def test_the_tree_has_everything_below_what_it_lies_in() -> None:
    """Parts by number, not by letters; unpacked files, whose names have dots, behind the archive they were in."""
    facts = Inspection(parts=(part("10"), part("2/a.b/c.exe"), part("2"), part("1.1"), part("2/a.b")))
    found = list(view.tree(facts, Shown(containers=(("", "multipart/mixed"), ("1", "multipart/alternative")))))
    assert [(len(line) - len(line.lstrip()), line.split()[0]) for line in found] == [
        (2, "-"),
        (4, "1"),
        (6, "1.1"),
        (4, "2"),
        (6, "2/a.b"),
        (8, "2/a.b/c.exe"),
        (4, "10"),
    ]


def test_paths_that_are_no_numbers_are_no_trouble() -> None:
    """Nor digits of other scripts: names of files are hostile."""
    paths = ("", "²", "1.\u0663", "1/²/3", "message", "header", "9" * 5_000)
    assert len(list(view.tree(Inspection(parts=tuple(part(path) for path in paths)), None))) == len(paths)


def test_links_that_say_otherwise_are_marked() -> None:
    """An address that names another host than it leads to; words, and the same host with or without www., are none."""
    links = (
        ShownLink("https://evil.test/a", "www.bank.test"),
        ShownLink("https://evil.test/b", "https://bank.test/login"),
        ShownLink("https://www.bank.test/", "bank.test"),
        ShownLink("https://bank.test/c", "Click here. Now"),
        ShownLink("https://bank.test/d", ""),
        ShownLink("https://xn--bcher-kva.test/", "b\u00fccher.test"),
        ShownLink("mailto:a@b.test", "a@c.test"),
    )
    found = list(view.links(Shown(links=links)))
    assert ["ANOTHER HOST" in line for line in found] == [True, True, False, False, False, False, False]
    assert found[0] == '  https://evil.test/a  shown as "www.bank.test", ANOTHER HOST'


def test_a_host_is_spelled_as_the_network_has_it() -> None:
    """Letters that look like others are seen for what they are."""
    (line,) = view.links(Shown(links=(ShownLink("https://p\u0430ypal.test/", ""),)))
    assert "(host xn--" in line


def test_rules_have_the_bytes_they_matched() -> None:
    """Where, and which; many are cut, and that is said."""
    hit = RuleHit("needle", "own", "YARA_NEEDLE", "1.2", ("$a at 7: b'x\\x00'",))
    assert list(view.rules([hit])) == ["  needle (own) in 1.2, counts as YARA_NEEDLE", "    $a at 7: b'x\\x00'"]
    assert list(view.rules([hit] * 200))[-1] == "  and 100 more rules"


def test_texts_are_cut_and_quoted() -> None:
    """Each line behind a bar, so that none passes for a line of ours; empty ones in a row are one."""
    found = list(view.texts(Shown(texts=(("1", "\n\none\r\n\r\n\r\ntwo" + "\nx" * 500),))))
    assert found[:4] == ["text of part 1", "  | one", "  | ", "  | two"]
    assert found[-1].startswith("  and ")
    assert len(next(iter(list(view.texts(Shown(texts=(("1", "y" * 9_000),))))[1:]))) == view.MAX_LINE + 4


def test_json_has_hosts() -> None:
    """So that a script need not read addresses itself."""
    found = view.as_json(Shown(links=(ShownLink("https://u@EVIL.test:8/", "x"),), texts=(("1", "t"),)))
    assert found["links"] == [{"target": "https://u@EVIL.test:8/", "label": "x", "host": "evil.test"}]
