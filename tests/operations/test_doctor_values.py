"""Lists, times and addresses as MTAs write them."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.config.listen import parse_listen
from filterd.operations.doctor import Level
from filterd.operations.doctor_mta import Ours, Reader, check_socket, command_trouble, content_trouble
from filterd.operations.doctor_values import Service, same, seconds, service, target, without_blanks, words

OURS = Ours(
    parse_listen("unix:/run/filterd/milter.sock"), 60.0, False, 0.0, None, 5.0, 50_000_000, 10_026, False, False
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        (" , ,\n", ()),
        ("a b,c\t d", ("a", "b", "c", "d")),
        ("{ inet:a:1, x=y }, unix:/b", ("{ inet:a:1, x=y }", "unix:/b")),
        ("{ a, { b = c d } } e", ("{ a, { b = c d } }", "e")),
        ("{ never closed, x", ("{ never closed, x",)),
        ("a } b", ("a", "}", "b")),
    ],
)
def test_words(text: str, expected: tuple[str, ...]) -> None:
    """Blanks and commas part them, what is in braces is one."""
    assert words(text) == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("unix:/a", Service("unix:/a")),
        ("{ unix:/a, timeout=5s, x = }", Service("unix:/a", {"timeout": "5s", "x": "", "": ""})),
        ("{unix:/a,timeout=5s}", Service("unix:/a", {"timeout": "5s"})),
        (
            "{ unix:/a, { default_action = 451 4.3.5 later } }",
            Service("unix:/a", {"default_action": "451 4.3.5 later"}),
        ),
        ("{}", Service("")),
    ],
)
def test_service(word: str, expected: Service) -> None:
    """An address, and options where braces are around it."""
    assert service(word).address == expected.address
    assert {name: value for name, value in service(word).options.items() if name} == {
        name: value for name, value in expected.options.items() if name
    }


def test_a_service_is_written_as_it_is_read() -> None:
    """With an option replaced in its place, and a value with blanks in braces of its own."""
    made = service("{ unix:/a, timeout=5s, { default_action = 451 no } }").having("timeout", "9s")
    assert made.text == "{ unix:/a, timeout=9s, { default_action=451 no } }"
    assert service(made.text) == made
    assert without_blanks("{ unix:/a, x=y }, b c") == "{unix:/a,x=y},b,c"


@pytest.mark.parametrize(
    ("text", "expected"), [("30s", 30), ("5m", 300), ("2", 2), ("1h", 3600), ("", None), ("x", None)]
)
def test_seconds(text: str, expected: float | None) -> None:
    """A unit is a letter; without one it is seconds."""
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "chroot", "expected"),
    [
        ("unix:/q/private/x", "unix:private/x", False, True),
        ("unix:/q/filterd/x", "unix:/filterd/x", True, True),
        ("unix:/filterd/x", "unix:/filterd/x", True, False),
        ("local:/a/../b/x", "unix:/b/x", False, True),
        ("inet:8891@127.0.0.1", "inet:localhost:8891", False, True),
        ("inet:8891@0.0.0.0", "inet:127.0.0.1:8891", False, True),
        ("inet:8891@127.0.0.1", "inet:192.0.2.1:8891", False, False),
        ("inet:8891@127.0.0.1", "inet:127.0.0.1:8892", False, False),
        ("inet6:8891@::1", "inet:[::1]:8891", False, True),
        ("unix:/a", "inet:127.0.0.1:8891", False, False),
        ("unix:/a", "nonsense", False, False),
    ],
)
def test_same(ours: str, theirs: str, chroot: bool, expected: bool) -> None:  # noqa: FBT001  # a row of the table
    """Relative paths begin at the queue directory, in a chroot absolute ones too."""
    assert same(parse_listen(ours), target(theirs, "/q", chroot=chroot)) is expected


@given(st.text(alphabet="a ,={}\n", max_size=60))
def test_any_text(text: str) -> None:
    """Whatever stands there, nothing is raised, and no item is lost or made up."""
    assert "".join(words(text)).translate({ord(c): None for c in " ,\n"}) == text.translate(
        {ord(c): None for c in " ,\n"}
    )
    for word in words(text):
        service(word)
    without_blanks(text)
    target(text)


# --- rights and times


def test_reader(tmp_path: Path) -> None:
    """Rights as the kernel has them: the owner's for the owner, the group's for its members, else those of all."""
    path = tmp_path / "x"
    path.write_text("")
    path.chmod(0o640)
    found = path.stat()
    other = 1 + found.st_uid
    assert Reader("me", found.st_uid or other, frozenset()).may(path, 2) is bool(found.st_uid)
    assert Reader("mate", other, frozenset({found.st_gid})).may(path, 4)
    assert not Reader("mate", other, frozenset({found.st_gid})).may(path, 2)
    assert not Reader("stranger", other, frozenset()).may(path, 4)
    assert Reader("root", 0, frozenset()).may(path, 2)
    assert Reader.of("nobody-of-that-name") is None


def test_what_is_no_socket(tmp_path: Path) -> None:
    """A file in its place is a failure; nothing there is a warning, for then filterd is not running."""
    (tmp_path / "x").write_text("")
    (wrong,) = check_socket("S", tmp_path / "x", None, "[milter]")
    (absent,) = check_socket("S", tmp_path / "y", None, "[milter]")
    assert (wrong.level, absent.level) == (Level.FAILED, Level.WARNING)
    assert stat.S_ISREG((tmp_path / "x").stat().st_mode)
    assert absent.remedy == "start filterd run"


@pytest.mark.parametrize(
    ("wait", "level"),
    [(30, Level.FAILED), (60, Level.FAILED), (64, Level.WARNING), (65, None), (600, None), (601, Level.WARNING)],
)
def test_patience_at_the_end(wait: float, level: Level | None) -> None:
    """Above our deadline with a margin, and not beyond what clients wait (RFC 5321, section 4.5.3.2.6)."""
    found = content_trouble(wait, OURS)
    assert (found[0] if found else None) is level


@pytest.mark.parametrize(("wait", "level"), [(4, Level.FAILED), (8, Level.WARNING), (30, None), (301, Level.WARNING)])
def test_patience_before(wait: float, level: Level | None) -> None:
    """The same for single commands."""
    found = command_trouble(wait, OURS)
    assert (found[0] if found else None) is level
