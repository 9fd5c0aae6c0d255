"""What doctor finds wrong with the way back of held mail, and with the MTA where recipients are decided apart."""

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from filterd.app.diagnosing import release_findings
from filterd.app.site import load_config
from filterd.config import Config
from filterd.operations.doctor import Diagnosis, Level
from filterd.operations.doctor_release import check_client, check_keys, check_postfix
from filterd.operations.postconf import PostconfError, postconf, read_postfix
from filterd.quarantine.keys import Keys
from tests.support.postfix import Postfix
from tests.support.process import open_folder

MAIN = """enable_original_recipient = yes
local_header_rewrite_clients = permit_inet_interfaces
mynetworks = 127.0.0.0/8
receive_override_options =
smtpd_milters = unix:/run/filterd/milter.sock
"""
SERVICES = """smtp       inet  n       -       y       -       -       smtpd
127.0.0.1:10026 inet n   -       n       -       -       smtpd -o smtpd_milters= -o local_header_rewrite_clients=
[::1]:10027 inet n       -       n       -       -       smtpd
10028      inet  n       -       n       -       -       smtpd -o receive_override_options=no_milters
pickup     unix  n       -       y       60      1       pickup
127.0.0.1:10029 inet n   -       n       -       -       spawn argv=/bin/cat
nonsense
"""
OWN = """127.0.0.1:10026/inet/local_header_rewrite_clients =
127.0.0.1:10026/inet/smtpd_milters =
10028/inet/receive_override_options = no_address_mappings, no_milters
"""


def asked(main: str = MAIN, services: str = SERVICES, own: str = OWN) -> Callable[[Sequence[str]], str]:
    """A postconf that says this."""
    return lambda arguments: {"-M": services, "-P": own}.get(arguments[0], main)


def found(port: int, *, tokens: bool = False, policies: bool = False, main: str = MAIN) -> list[tuple[Level, str]]:
    """Levels and words; what is wrong comes with what to do."""
    made = list(check_postfix(asked(main), port, tokens=tokens, policies=policies))
    assert all(bool(one.remedy) is (one.level is not Level.OK) for one in made)
    return [(one.level, f"{one.subject} {one.text}") for one in made]


# --- keys


def keys(folder: Path) -> Keys:
    """A file with a key."""
    made = Keys(folder / "release.key")
    made.make()
    return made


def test_keys_that_are_well(tmp_path: Path) -> None:
    """Named by the key that signs, and no secret is shown."""
    made = keys(tmp_path)
    diagnosis = check_keys(made, tmp_path)
    assert (diagnosis.level, diagnosis.text) == (Level.OK, f"are private; key {made.first().name} signs")
    assert made.first().secret.hex() not in str(diagnosis)


@pytest.mark.threat("QUA-10")
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644])
def test_keys_that_others_can_read(tmp_path: Path, mode: int) -> None:
    """Are a failure: whoever has them lets any mail in that comes from a trusted client."""
    made = keys(tmp_path)
    made.path.chmod(mode)
    diagnosis = check_keys(Keys(made.path), tmp_path)
    assert diagnosis.level is Level.FAILED
    assert f"chmod go= {made.path}" in diagnosis.text


def test_keys_that_are_not_there(tmp_path: Path) -> None:
    """Who makes them is said."""
    diagnosis = check_keys(Keys(tmp_path / "release.key"), tmp_path)
    assert diagnosis.level is Level.FAILED
    assert "is not there: filterd run makes it at its start" in diagnosis.text


def test_keys_of_somebody_else(tmp_path: Path) -> None:
    """A key that root has copied is one that the daemon cannot read."""
    made = keys(tmp_path)
    if os.geteuid():
        pytest.skip("only root can give a file away")
    os.chown(made.path, 12_345, -1)
    diagnosis = check_keys(Keys(made.path), tmp_path)
    assert (diagnosis.level, diagnosis.remedy) == (Level.FAILED, f"chown {os.geteuid()} {made.path}")


def test_a_client_that_is_none_of_ours() -> None:
    """A token from there would be refused."""
    assert check_client("127.0.0.1", ours=True).level is Level.OK
    diagnosis = check_client("192.0.2.5", ours=False)
    assert (diagnosis.level, diagnosis.remedy) == (Level.FAILED, "add 192.0.2.5 to [trust] networks")


# --- Postfix


def test_listeners() -> None:
    """By port, by name or number; what is set for one of them counts there; other services are none."""
    made = read_postfix(asked())
    assert [(one.port, one.filters, one.private, one.chroot) for one in made.services] == [
        (25, True, False, True),
        (10026, False, True, False),
        (10027, True, True, False),
        (10028, False, False, False),
    ]
    assert made.at(10026)[0].settings["local_header_rewrite_clients"] == ""


def test_a_listener_as_shipped() -> None:
    """Is well; with tokens it is the wrong one."""
    assert found(10026) == [(Level.OK, "Postfix 127.0.0.1:10026 takes released mail as it is, and filters nothing")]
    ((level, text),) = found(10026, tokens=True)
    assert (level, "is delivered with its token in it" in text) == (Level.WARNING, True)


def test_a_listener_that_filters() -> None:
    """Would have what is released held again; with tokens it is the right one."""
    levels = [level for level, _ in found(10027)]
    assert levels == [Level.FAILED, Level.WARNING]
    assert found(10027, tokens=True)[0][0] is Level.OK


def test_a_listener_that_completes() -> None:
    """Alters what is released."""
    (outside, (level, text)) = found(10028)
    assert (outside[0], "can be reached from other hosts" in outside[1]) == (Level.FAILED, True)
    assert (level, "completes what local clients send" in text) == (Level.WARNING, True)


@pytest.mark.parametrize(
    ("option", "text", "command"),
    [
        ("mynetworks=10.0.0.0/8", "does not take this host for one of its own", "mynetworks=127.0.0.0/8,[::1]/128"),
        ("content_filter=smtp:[127.0.0.1]:10024", "filtered by content_filter", "content_filter="),
        ("header_checks=pcre:/x", "pass header_checks", "receive_override_options=no_header_body_checks"),
        ("smtpd_authorized_xclient_hosts=127.0.0.1", "may pass for another host", "smtpd_authorized_xclient_hosts="),
        (
            "smtpd_recipient_restrictions=check_policy_service,unix:/p",
            "asks a policy service",
            "smtpd_recipient_restrictions=permit_mynetworks,reject",
        ),
    ],
)
def test_a_listener_that_is_in_the_way(option: str, text: str, command: str) -> None:
    """Each thing that would refuse, alter or put off what is released, with the command that mends it there."""
    own = f"{OWN}127.0.0.1:10026/inet/{option.replace('=', ' = ', 1)}\n"
    (one,) = check_postfix(asked(own=own), 10026, tokens=False, policies=False)
    assert one.level in {Level.WARNING, Level.FAILED}
    assert text in one.text
    assert one.remedy == shlex.join(["postconf", "-P", f"127.0.0.1:10026/inet/{command}"])


def test_networks_that_nobody_can_read() -> None:
    """A table of networks is taken for well: what cannot be known is no fault."""
    assert found(10026, main=MAIN.replace("127.0.0.0/8", "cidr:/etc/postfix/networks"))[0][0] is Level.OK


def test_no_listener() -> None:
    """Nothing can be released: said where it should be on this host, and not of other hosts."""
    ((level, text),) = found(10029)
    assert (level, text) == (Level.WARNING, "Postfix has no listener on port 10029: nothing can be released")
    assert found(0) == []


@pytest.mark.threat("MTA-19")
@pytest.mark.parametrize(("value", "level"), [("yes", Level.OK), ("no", Level.FAILED)])
def test_original_recipients(value: str, level: Level) -> None:
    """Without them an alias is not found to be taken out: a failure where policies hold for some, else no matter."""
    main = MAIN.replace("enable_original_recipient = yes", f"enable_original_recipient = {value}")
    assert [one for one, _ in found(0, policies=True, main=main)] == [level]
    assert found(0, main=main) == []


def test_a_postfix_that_does_not_say() -> None:
    """Is not taken for one that is well."""

    def broken(_: Sequence[str]) -> str:
        raise PostconfError("postconf: fatal: bad numeric configuration")

    ((level, text),) = [(one.level, one.text) for one in check_postfix(broken, 10026, tokens=False, policies=True)]
    assert (level, text) == (
        Level.WARNING,
        "cannot be asked what it is set to: postconf: fatal: bad numeric configuration",
    )


@pytest.mark.parametrize("text", ["", "\n\n", "=", " = ", "a/b/c/d = e\n", "127.0.0.1:10026/inet/ = x\n", "\x00" * 100])
def test_any_answer(text: str) -> None:
    """Whatever is printed, nothing is raised, and what is not there is empty."""
    made = read_postfix(asked(text, text, text))
    assert (made.settings["smtpd_milters"], made.services) == ("", ())


def test_postconf_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Postfix, no question; one that prints an error is told in its words."""
    monkeypatch.setattr("filterd.operations.postconf.MAIN", tmp_path / "main.cf")
    assert postconf() is None
    (tmp_path / "main.cf").write_text("")
    program = tmp_path / "postconf"
    program.write_text("#!/bin/sh\necho 'postconf: fatal: no' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("filterd.operations.postconf.shutil.which", lambda *_, **__: str(program))
    ask = postconf()
    assert ask is not None
    with pytest.raises(PostconfError, match=f"{program}: postconf: fatal: no"):
        ask(["-M"])


@pytest.mark.integration
def test_the_real_one() -> None:
    """A running Postfix with the shipped stanza: the release listener is well, the filtered one would filter."""
    with open_folder() as folder:
        # not started: postconf reads the files
        postfix = Postfix(folder / "p", sink_port=9, milter="unix:/run/filterd/milter.sock")
        postfix._make_folders()
        postfix._write()

        def ask(arguments: Sequence[str]) -> str:
            return postfix.tool("postconf", *arguments)

        def looked(port: int, *, tokens: bool = False) -> list[Level]:
            return [one.level for one in check_postfix(ask, port, tokens=tokens, policies=True)]

        assert looked(postfix.release_port) == [Level.OK, Level.OK]
        assert Level.FAILED in looked(postfix.port)
        assert looked(postfix.port, tokens=True) == [Level.OK, Level.OK]
        assert looked(postfix.release_port, tokens=True) == [Level.OK, Level.WARNING]
        postfix.tool("postconf", "enable_original_recipient=no")
        assert looked(0) == [Level.FAILED]


# --- what is looked at


def config(folder: Path, text: str) -> Config:
    """A site's."""
    path = folder / "filterd.toml"
    path.write_text(f'[paths]\nstate = "{folder}"\n{text}')
    return load_config(path)


def subjects(made: list[Diagnosis]) -> list[str]:
    """What they are about, each once."""
    return list(dict.fromkeys(" ".join(one.subject.split()[:3]) for one in made))


POLICY = '[policies.p]\nrecipients = ["a.test"]\noff = true\n'


@pytest.mark.integration  # it asks from which address a listener is spoken to
@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("", ["Postfix 127.0.0.1:10026"]),
        ('[quarantine]\nrelease = "inet:10026@mx.example.org"\n', []),
        ('[quarantine]\nmode = "mta-hold"\n', []),
        (POLICY, ["Postfix enable_original_recipient", "Postfix 127.0.0.1:10026"]),
        (
            '[quarantine]\nrelease_by = "token"\nrelease = "inet:25@127.0.0.1"\n',
            ["keys of release", "client of releases", "Postfix smtp"],
        ),
        (
            '[digest]\nreviewers = ["r@a.test"]\nsender = "f@a.test"\nrelay = "inet:25@127.0.0.1"\n',
            ["keys of release", "client of releases", "Postfix 127.0.0.1:10026"],
        ),
    ],
)
def test_what_is_looked_at(tmp_path: Path, text: str, about: list[str]) -> None:
    """Keys and client only where tokens are used, recipients only where policies are."""
    made = list(release_findings(config(tmp_path, text), asked()))
    assert subjects(made) == about


@pytest.mark.integration
def test_keys_that_only_mark(tmp_path: Path) -> None:
    """Where mail is given back by a listener a file that nobody can use is a warning; of a good one nothing is said."""
    keys = Keys(tmp_path / "release.key")
    keys.make()
    found = config(tmp_path, "")
    assert subjects(list(release_findings(found, asked()))) == ["Postfix 127.0.0.1:10026"]
    keys.path.chmod(0o644)
    first = next(release_findings(found, asked()))
    assert (first.level, first.subject) == (Level.WARNING, f"keys of release marks {keys.path}")
    assert first.text.endswith("what aliases bring back after its release is held again")


@pytest.mark.integration
def test_a_stranger_to_itself(tmp_path: Path) -> None:
    """Tokens that come from an address outside [trust] are found before anybody releases with them."""
    text = '[trust]\nnetworks = ["10.0.0.0/8"]\n[quarantine]\nrelease_by = "token"\nrelease = "inet:25@127.0.0.1"\n'
    made = {one.subject: one for one in release_findings(config(tmp_path, text), asked())}
    assert made["client of releases"].level is Level.FAILED
    assert made["client of releases"].remedy == "add 127.0.0.1 to [trust] networks"
