"""What `filterd doctor --sendmail` finds in made sendmail.cf texts."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterd.config.listen import parse_listen
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_mta import Ours
from filterd.operations.doctor_sendmail import examine, line
from filterd.operations.doctor_sendmail_cf import SendmailError, read_cf, read_file

SOCKET = "inet:8891@127.0.0.1"
OURS = Ours(parse_listen(SOCKET), 60.0, False, 0.0, None, 5.0, 50_000_000, 10_026, False, False)
FILTER = f"Xfilterd, S={SOCKET}, F=T, T=C:10s;S:30s;R:90s;E:120s"
RELEASE = "O DaemonPortOptions=Name=filterd-release, Family=inet, Addr=127.0.0.1, Port=10026, InputMailFilters="
CF = f"""DZ8.17.1
# O MaxHeadersLength=1
O InputMailFilters=filterd
O DaemonPortOptions=Name=MTA, Family=inet, Port=25
{RELEASE}
O MaxHeadersLength=60000
O MaxMessageSize=50000000
{FILTER}
"""
LINE = f"INPUT_MAIL_FILTER(`filterd', `S={SOCKET}, F=T, T=C:10s;S:30s;R:90s;E:120s')dnl"


def wrong(text: str, ours: Ours = OURS) -> list[Diagnosis]:
    """What is not as it should be."""
    found = list(examine(read_cf(text), ours))
    assert all(bool(one.remedy) is (one.level is not Level.OK) for one in found)
    return [one for one in found if one.level is not Level.OK]


def test_a_sound_one() -> None:
    """Nothing is wrong; the line that is recommended is the one that deploy/sendmail ships, with this socket."""
    assert wrong(CF) == []
    assert line(OURS) == LINE
    shipped = (Path(__file__).parents[2] / "deploy" / "sendmail" / "filterd.m4").read_text()
    assert line(replace(OURS, milter=parse_listen("unix:/run/filterd/milter.sock"))) in shipped


def test_reading() -> None:
    """Filters with times, ports with filters of their own, options; comments are none, folded lines are one."""
    found = read_cf(CF.replace("F=T, T=", "F=T,\n\tT="))
    assert found.filters[0].waits == {"C": 10, "S": 30, "R": 90, "E": 120}
    assert [(one.name, one.port, one.private, one.filters) for one in found.daemons] == [
        ("MTA", "25", False, None),
        ("filterd-release", "10026", True, ()),
    ]
    assert found.options["MaxHeadersLength"] == "60000"
    assert read_cf("O X=1\n").daemons[0].port == "smtp"
    assert read_cf("Xa, S=inet:1@a\n").filters[0].waits == {"C": 300, "S": 10, "R": 10, "E": 300}


@pytest.mark.threat("MTA-06")
@pytest.mark.parametrize(
    ("old", "new", "level", "text", "remedy"),
    [
        ("F=T, ", "", Level.FAILED, "has no F=T: mail passes unfiltered", LINE),
        ("F=T", "F=R", Level.WARNING, "refused for good while filterd is down", LINE),
        ("S=inet:8891", "S=inet:8892", Level.FAILED, "filter filterd is at inet:8892@127.0.0.1", LINE),
        (FILTER, "", Level.FAILED, "no filter listens where filterd does", LINE),
        ("O InputMailFilters=filterd", "", Level.FAILED, "no port has mail pass filterd", LINE),
        ("R:90s", "R:30s", Level.FAILED, "is 30 s, and filterd may take 60 s", LINE),
        (";R:90s", "", Level.FAILED, "is 10 s, and filterd may take 60 s", LINE),
        ("E:120s", "E:1m", Level.FAILED, "is 60 s, and filterd may take 60 s", LINE),
        ("S:30s", "S:2s", Level.FAILED, "is 2 s, and a recipient may take 0 s", LINE),
        (
            "Port=25",
            "Port=25, InputMailFilters=dkim",
            Level.FAILED,
            "no port has mail pass filterd",
            LINE,
        ),
        (
            RELEASE,
            f"{RELEASE}\nO DaemonPortOptions=Name=MSA, Port=587, InputMailFilters=dkim",
            Level.WARNING,
            "filterd is none of them",
            "InputMailFilters=dkim;filterd",
        ),
        (RELEASE, "", Level.WARNING, "does not listen on port 10026", "InputMailFilters=')dnl"),
        (", InputMailFilters=", "", Level.FAILED, "would be held again", "InputMailFilters=')dnl"),
        ("Addr=127.0.0.1, ", "", Level.FAILED, "can be reached from other hosts", "Addr=127.0.0.1"),
        ("O MaxHeadersLength=60000", "", Level.WARNING, "is 32768", "confMAX_HEADERS_LENGTH', `60000'"),
        ("Length=60000", "Length=0", Level.WARNING, "is not bounded", "confMAX_HEADERS_LENGTH', `60000'"),
        ("Length=60000", "Length=500000", Level.WARNING, "is 500000", "confMAX_HEADERS_LENGTH', `60000'"),
        ("O MaxMessageSize=50000000", "", Level.WARNING, "is not set", "confMAX_MESSAGE_SIZE', `50000000'"),
    ],
)
def test_fault(old: str, new: str, level: Level, text: str, remedy: str) -> None:
    """One fault, one finding, and the line that mends it."""
    assert old in CF
    (found,) = wrong(CF.replace(old, new))
    assert (found.level, text in found.text) == (level, True)
    assert remedy in found.remedy


def test_tokens() -> None:
    """What is released with a token must pass the filter instead."""
    ours = replace(OURS, tokens=True)
    (found,) = wrong(CF, ours)
    assert "delivered with its token" in found.text
    assert wrong(CF.replace(", InputMailFilters=", ""), ours) == []


def test_a_socket_that_sendmail_would_refuse(tmp_path: Path) -> None:
    """Below a folder that anybody can write to Sendmail takes none, and defers all mail."""
    tmp_path.chmod(0o777)
    path = tmp_path / "m.sock"
    ours = replace(OURS, milter=parse_listen(f"unix:{path}"))
    texts = [one.text for one in wrong(CF.replace(SOCKET, f"local:{path}"), ours)]
    assert any(f"Sendmail refuses it, for {tmp_path} can be written to by others" in text for text in texts)


def test_files(tmp_path: Path) -> None:
    """A folder means the sendmail.cf in it; what is none, or not there, is said."""
    (tmp_path / "sendmail.cf").write_text(CF)
    assert read_file(tmp_path) == read_file(tmp_path / "sendmail.cf") == read_cf(CF)
    (tmp_path / "sendmail.mc").write_text("define(`x', `y')dnl\n")
    with pytest.raises(SendmailError, match=r"expected a sendmail\.cf"):
        read_file(tmp_path / "sendmail.mc")
    with pytest.raises(SendmailError, match="No such file"):
        read_file(tmp_path / "none")


@given(st.text(alphabet="XOo DaemonPrtpis=,;:TSRE0\t\n", max_size=80))
def test_any_text(text: str) -> None:
    """Whatever stands there, nothing is raised, and what is found is said in words."""
    assert all(found.text for found in examine(read_cf(text), OURS))
