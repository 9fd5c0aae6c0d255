"""Released mail that real aliases bring back to the port that filters: it arrives, goes round no more, and is not lost.

MTA in front, with the milter  <->  MTA behind, whose aliases send mail for fwd.test on: to a mailbox at local.test,
to another alias, or back to itself
"""

import itertools
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import dkim
import pytest

from filterd.operations.release import Releaser
from filterd.operations.stamped import Marked, Stamped
from filterd.quarantine import Actor, Entry, EntryFilter, Quarantine, State
from filterd.quarantine.keys import Keys
from filterd.quarantine.marks import FIELD, Marker, noted
from filterd.quarantine.relay import Fate, Relay
from filterd.quarantine.tokens import Stamp
from tests.support.postfix import Postfix
from tests.support.process import free_port, wait_until
from tests.support.signing import key_record
from tests.support.stack import Outcome, Stack
from tests.support.world import signed, with_attachment

pytestmark = [pytest.mark.integration, pytest.mark.threat("QUA-05", "QUA-06")]
ME = Actor("reviewer", "tty1")
NUMBERS = itertools.count()
BROKEN = b"PK\x03\x04" + bytes(range(100))
# The MTA behind: who is whose alias. `round` ends in an address that leads to itself.
ALIASES = (
    "inline:{ {once@fwd.test=box@local.test} {two@fwd.test=hop@mid.test}"
    " {many@fwd.test=box@local.test, chest@local.test} {round@fwd.test=back@fwd.test} {back@fwd.test=back@fwd.test} }"
)


class Site:
    """A daemon, the MTA in front and the one behind, and who releases in one of the two ways."""

    def __init__(self, stack: Stack, *, tokens: bool) -> None:
        """Both run."""
        self.stack = stack
        self.tokens = tokens

    def held(self, recipient: str) -> tuple[Outcome, Entry]:
        """A signed message that was held for him, and its entry."""
        made = with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "i.zip", BROKEN)
        outcome = self.stack.send(signed(made, now=int(time.time())), recipients=[recipient])
        assert (outcome.code, outcome.action) == (250, "quarantine")
        return outcome, self.waiting(recipient)

    def waiting(self, recipient: str) -> Entry:
        """The newest entry that is held for him."""
        with closing(self.stack.quarantine()) as quarantine:
            return quarantine.entries(EntryFilter(state=State.HELD, recipient=recipient))[0]

    def waiting_ids(self, recipient: str) -> list[str]:
        """All that is held for him."""
        with closing(self.stack.quarantine()) as quarantine:
            return [one.id for one in quarantine.entries(EntryFilter(state=State.HELD, recipient=recipient))]

    @contextmanager
    def releaser(self) -> Iterator[tuple[Quarantine, Releaser]]:
        """As the commands have it."""
        port = self.stack.postfix.port if self.tokens else self.stack.postfix.release_port
        keys, relay = Keys(self.stack.folder / "state" / "release.key"), Relay("127.0.0.1", port, "mx.test", 10.0)
        deliver = Stamped(relay.deliver, Stamp(keys, time.time, secrets.token_bytes)) if self.tokens else relay.deliver
        marker = Marker(keys, time.time, secrets.token_bytes)
        with closing(self.stack.quarantine()) as quarantine:
            yield quarantine, Releaser(quarantine, deliver, "mx.local.test", marker=marker)

    def release(self, entry: Entry) -> None:
        """Give it back."""
        with self.releaser() as (_, releaser):
            done = releaser.release(entry.id, ME)
        assert (done.state, done.text[:3]) == (State.DELIVERED, "250")

    def came_back(self, entry: Entry) -> tuple[str, int, str] | None:
        """What the evidence of an entry says of the release before it."""
        with closing(self.stack.quarantine()) as quarantine:
            return noted(quarantine.evidence(entry.id).state)

    def subject(self, entry: Entry) -> bytes:
        """How copies of a message are found."""
        return f"Subject: {entry.subject}\r\n".encode()

    def arrived(self, entry: Entry, count: int = 1) -> list[bytes]:
        """All copies of that message at the mailboxes, as soon as there are so many."""
        found: list[bytes] = []

        def look() -> bool:
            found[:] = [copy.data for copy in self.stack.sink.messages if self.subject(entry) in copy.data]
            return len(found) >= count

        wait_until(look, f"{count} copies of {entry.subject}")
        return found

    def codes(self, *recipients: str) -> list[str]:
        """What was decided about messages for exactly these."""
        wanted = list(recipients)
        return [one["code"] for one in self.stack.filterd.events("message") if one["recipients"] == wanted]


@pytest.fixture(scope="module", params=["listener", "token"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """One that releases to a listener that does not filter, and one that does so through the filter."""
    settings = {"milter": {"authserv_id": "mx.local.test"}, "quarantine": {"release_by": request.param}}
    port = free_port()
    front = {
        "relay_domains": "local.test fwd.test mid.test",
        "virtual_alias_maps": "inline:{ {hop@mid.test=once@fwd.test} }",
        "transport_maps": f"inline:{{ {{fwd.test=smtp:[127.0.0.1]:{port}}} }}",
    }
    with Stack(settings, postfix=front) as stack:
        main = {
            "myhostname": "behind.filterd.test",
            "relay_domains": "local.test fwd.test mid.test",
            "virtual_alias_maps": ALIASES,
        }
        behind = Postfix(stack.folder / "behind", sink_port=stack.postfix.port, settings=main)
        behind.port = port
        with behind:
            yield Site(stack, tokens=request.param == "token")


def verifies(copy: bytes) -> bool:
    """Whether the signature of the original does."""
    record = key_record().encode()
    return bool(dkim.verify(copy, dnsfunc=lambda *_, **__: record))


def test_an_alias_of_an_alias(site: Site) -> None:
    """Each hop that comes back to the filter is let through as it is: no second entry, no second look, one copy."""
    for alias, hops in (("once@fwd.test", 1), ("two@fwd.test", 2)):
        _, entry = site.held(alias)
        with site.releaser() as (_, releaser):
            original = releaser.outgoing(entry.id)
        before = [len(site.codes(one)) for one in ("box@local.test", "hop@mid.test")]
        site.release(entry)
        (copy,) = site.arrived(entry)
        assert copy.endswith(original)
        assert verifies(copy)
        assert copy.count(FIELD.encode() + b": ") == 1
        codes = [site.codes(one)[count:] for one, count in zip(("box@local.test", "hop@mid.test"), before, strict=True)]
        assert codes == [["returned"], ["returned"] * (hops - 1)]
        with site.releaser() as (quarantine, _):
            again = [one.subject for one in quarantine.entries(EntryFilter(recipient="box@local.test"))]
        assert entry.subject not in again


def test_an_alias_of_two(site: Site) -> None:
    """Whom an alias leads to, each of them gets it."""
    _, entry = site.held("many@fwd.test")
    site.release(entry)

    def got() -> set[str]:
        copies = [copy for copy in site.stack.sink.messages if site.subject(entry) in copy.data]
        return {one for copy in copies for one in copy.recipients}

    wait_until(lambda: got() == {"box@local.test", "chest@local.test"}, "both copies")


def test_a_circle(site: Site) -> None:
    """What goes round passes once for each address, then is held, once, and its evidence names the release.

    Released again and again it is refused at the fourth time round; it is in the quarantine all the while.
    """
    _, first = site.held("round@fwd.test")
    entry, seen = first, [first.id]
    for times in (1, 2):
        site.release(entry)
        wait_until(lambda: site.waiting_ids("back@fwd.test") not in ([], [seen[-1]]), "it to come back")
        entry = site.waiting("back@fwd.test")
        assert site.came_back(entry) == (seen[-1], times, "it came for the same recipient before")
        seen.append(entry.id)
    site.release(entry)
    wait_until(lambda: site.codes("back@fwd.test")[-1] == "release-loop", "the end of it")
    assert site.waiting_ids("back@fwd.test") == []
    assert site.arrived(first, 0) == []
    with site.releaser() as (quarantine, _):
        for identifier in seen:
            found = quarantine.entry(identifier)
            assert found is not None
            assert (found.state, found.files) == (State.DELIVERED, True)
            with quarantine.open_raw(identifier) as source:
                assert site.subject(first) in source.read()


def test_a_mark_from_outside(site: Site) -> None:
    """Somebody who has got it sends it in again, to others: it is held, and said to be what was released."""
    _, entry = site.held("once@fwd.test")
    site.release(entry)
    (copy,) = site.arrived(entry)
    again = site.stack.send(copy[copy.index(FIELD.encode()) :])
    assert (again.code, again.action) == (250, "quarantine")
    (held,) = site.stack.held(again)
    assert site.came_back(held) == (entry.id, 1, "it comes from outside")


def test_a_mark_on_another_message(site: Site) -> None:
    """From within it gives no right either, above anything but what was released."""
    _, entry = site.held("once@fwd.test")
    site.release(entry)
    (copy,) = site.arrived(entry)
    marked = copy[copy.index(FIELD.encode()) :]
    field = marked[: marked.index(b"\r\n") + 2]
    other = with_attachment("alice@aligned.test", f"Minutes {next(NUMBERS)}", "x.zip", BROKEN)
    outcome = site.stack.send(field + other, None)
    assert (outcome.code, outcome.action) == (250, "quarantine")
    (held,) = site.stack.held(outcome)
    assert site.came_back(held) == (entry.id, 1, "it was altered on its way")


def test_released_to_somebody_else(site: Site) -> None:
    """What an analyst was sent to look at is no good mail for those his alias leads to."""
    _, entry = site.held("chest@local.test")
    with site.releaser() as (_, releaser):
        assert releaser.release(entry.id, ME, to=("once@fwd.test",)).done
    wait_until(lambda: site.waiting_ids("box@local.test") != [], "it to come back")
    held = site.waiting("box@local.test")
    assert site.came_back(held) == (entry.id, 1, "it was released to others than it was held for")


def test_a_digest(site: Site) -> None:
    """What tells of held mail looks like it, and comes through where an alias brings it back."""
    made = with_attachment("filterd@aligned.test", f"Held mail {next(NUMBERS)}", "i.zip", BROKEN)
    with site.releaser() as (_, releaser):
        assert releaser.marker is not None
        answer = Marked(releaser.deliver, releaser.marker)("", ("once@fwd.test",), made)
    assert answer.fate is Fate.DELIVERED
    wait_until(lambda: any(made in copy.data for copy in site.stack.sink.messages), "the digest")


def test_commands(site: Site) -> None:
    """`release` marks what it gives back, and `show` and `explain` say what came back."""
    stack = site.stack
    release = stack.postfix.port if site.tokens else stack.postfix.release_port
    config = stack.folder / "loop.toml"
    config.write_text(
        f'[paths]\nstate = "{stack.folder}/state"\n[quarantine]\nrelease = "inet:{release}@127.0.0.1"\n'
        f'release_by = "{"token" if site.tokens else "listener"}"\n'
    )

    def run(*arguments: str) -> str:
        argv = [sys.executable, "-m", "filterd", *arguments, "--config", str(config)]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    _, entry = site.held("once@fwd.test")
    run("quarantine", "release", entry.id)
    (copy,) = site.arrived(entry)
    assert site.stack.filterd.events("message")[-1]["code"] == "returned"
    again = stack.send(copy[copy.index(FIELD.encode()) :])
    (held,) = stack.held(again)
    words = f"released once, last as {entry.id}, and held again: it comes from outside"
    assert words in run("quarantine", "show", held.id, "--brief")
    assert words in run("explain", held.id)
