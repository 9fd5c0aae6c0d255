"""Releases of what cannot be read, or is not what was held: nothing is handed over, and the ledger says why."""

import time
from contextlib import closing
from pathlib import Path

import pytest

from filterd.operations.release import Releaser
from filterd.quarantine import Actor, Lease, Quarantine, State
from filterd.quarantine.coding import DamagedError
from filterd.quarantine.inventory import Kind
from filterd.quarantine.relay import Answer, Fate
from tests.quarantine.backends import hold, read
from tests.quarantine.samples import BODY, evidence, identifier, raw

ME = Actor("me")


@pytest.mark.threat("RES-04")
@pytest.mark.parametrize(("error", "state"), [(OSError, State.RELEASING), (KeyError, State.FAILED)])
def test_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception], state: State) -> None:
    """A store that is down puts a release off; only what is gone fails, and neither is taken for delivered."""

    def deliver(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        del sender, recipients, message
        return Answer(Fate.DELIVERED, "250 ok")

    def broken(_: str) -> None:
        raise error("told to fail")

    with closing(Quarantine(tmp_path / "quarantine")) as quarantine:
        with raw() as message:
            quarantine.hold(evidence(), message)
        assert quarantine.begin_release(identifier(), ME, ("to@b.test",), Lease("gone", 0)) is None
        with monkeypatch.context() as patch:
            patch.setattr(quarantine, "open_raw", broken)
            done = list(Releaser(quarantine, deliver, "mx.test").retry(ME))
        assert [(one.state, "told to fail" in one.text) for one in done] == [(state, True)]
        entry = quarantine.entry(identifier())
        assert entry is not None
        assert (entry.state, entry.due > time.time()) == (state, state is State.RELEASING)


LARGE = BODY + bytes(300 * 1024)  # becomes a file of its own


def nothing(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
    """An MTA that must not be asked."""
    raise AssertionError((sender, recipients, message))


def damaged(folder: Path) -> None:
    """Alter one letter of the only message there is, where it lies uncompressed; its size stays."""
    (path,) = [*folder.glob("segments/*"), *folder.glob("blobs/*/*")]
    data = path.read_bytes()
    at = data.index(BODY)
    path.write_bytes(data[:at] + b"L" + data[at + 1 :])


@pytest.mark.threat("QUA-01", "QUA-04", "QUA-05")
@pytest.mark.parametrize("body", [BODY, LARGE], ids=["segment", "file"])
def test_what_was_altered_is_not_released(tmp_path: Path, body: bytes) -> None:
    """Bytes whose SHA-256 is not the ledger's never go out: by hand or tried again it fails, and verify finds it."""
    with closing(Quarantine(tmp_path)) as quarantine:
        hold(quarantine, 0, body)
        damaged(tmp_path)
        releaser = Releaser(quarantine, nothing, "mx.test")
        done = releaser.release(identifier(), ME)
        assert (done.state, "what is stored is not what was held" in done.text) == (State.FAILED, True)
        entry = quarantine.entry(identifier())
        assert entry is not None
        assert (entry.state, entry.outcome, entry.targets) == (State.FAILED, done.text, ("to@b.test",))
        assert [row.action for row in quarantine.audit(identifier())] == ["hold", "release", "release"]
        assert quarantine.begin_release(identifier(), ME, ("to@b.test",), Lease("gone", 0)) is None
        assert [one.state for one in releaser.retry(ME)] == [State.FAILED]
        with pytest.raises(DamagedError):
            read(quarantine, identifier())
        (problem,) = quarantine.inventory().problems(contents=True)
        assert problem.kind is Kind.ALTERED


def test_evidence_that_cannot_be_read(tmp_path: Path) -> None:
    """Without it nobody knows what goes into the header: the release has failed, with the reason."""
    with closing(Quarantine(tmp_path)) as quarantine:
        hold(quarantine, 0, LARGE)
        (path,) = (tmp_path / "evidence").iterdir()
        path.write_bytes(b"{}")
        done = Releaser(quarantine, nothing, "mx.test").release(identifier(), ME)
        assert (done.state, "not evidence of version" in done.text) == (State.FAILED, True)


@pytest.mark.parametrize("to", [(), ("\udcff@b.test",)])
def test_addresses_that_are_no_text(tmp_path: Path, to: tuple[str, ...]) -> None:
    """Bytes of an envelope that nobody can decode: it waits as before, the audit has it, another address works."""

    def deliver(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        del sender, message
        return Answer(Fate.DELIVERED, f"250 {recipients[0]}")

    with closing(Quarantine(tmp_path)) as quarantine:
        with raw() as message:
            quarantine.hold(evidence(recipients=("\udcff@b.test",)), message)
        releaser = Releaser(quarantine, deliver, "mx.test")
        done = releaser.release(identifier(), ME, to=to)
        assert (done.state, done.text) == (
            State.HELD,
            "an address holds bytes that are no UTF-8: release it --to another",
        )
        assert quarantine.audit(identifier())[-1].result == done.text
        assert releaser.release(identifier(), ME, to=("to@b.test",)).text == "250 to@b.test"


@pytest.mark.threat("QUA-16")
def test_what_others_have_decided(tmp_path: Path) -> None:
    """Who comes second is told what is so and what can be done; nothing is handed over, and it is no success."""

    def deliver(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        del sender, recipients, message
        return Answer(Fate.DELIVERED, "250 ok")

    with closing(Quarantine(tmp_path)) as quarantine:
        for number in range(3):
            hold(quarantine, number, b"%d" % number)
        assert Releaser(quarantine, deliver, "mx.test").release(identifier(0), ME).done
        quarantine.delete(identifier(1), ME)
        assert quarantine.begin_release(identifier(2), ME, ("to@b.test",), Lease("theirs", time.time() + 60)) is None
        releaser = Releaser(quarantine, nothing, "mx.test")
        found = [releaser.release(identifier(number), ME) for number in range(3)]
        assert [(one.done, one.state, one.text[:24]) for one in found] == [
            (False, State.DELIVERED, "was delivered before: --"),
            (False, State.DELETED, "was deleted: restore it "),
            (False, State.RELEASING, "was releasing: a release"),
        ]
