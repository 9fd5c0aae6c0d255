"""A daemon whose held mail is in PostgreSQL and in an S3 store, through a real Postfix."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from filterd.quarantine import Place, Quarantine, open_quarantine
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.process import wait_until
from tests.support.s3 import s3_server
from tests.support.stack import Outcome, Stack
from tests.support.world import signed, with_attachment

BROKEN = b"PK\x03\x04" + bytes(range(100))


class Nodes:
    """The daemon, its ledger's server, and what a reviewer opens."""

    def __init__(self, stack: Stack, server: PostgresServer, place: Place) -> None:
        """All of them run."""
        self.stack = stack
        self.server = server
        self.place = place

    def send(self, name: str, content: bytes) -> Outcome:
        """One signed message with an attachment."""
        mail = with_attachment("alice@aligned.test", f"Minutes {time.time_ns()}", name, content)
        return self.stack.send(signed(mail, now=int(time.time())))

    def quarantine(self) -> Quarantine:
        """As another node sees it."""
        return open_quarantine(self.place, self.stack.folder / "nothing")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Roles as deploy/postgresql/roles.sql gives them are tested elsewhere; here one user does all."""
    secret: Path = tmp_path_factory.mktemp("secret") / "s3"
    secret.touch(0o600)
    secret.write_text("secret\n")
    with postgres_server() as server, s3_server() as store:
        bucket = store.fresh()
        url = server.url(server.fresh())
        held = {"url": url, "blobs": bucket.url, "endpoint": bucket.endpoint, "access_key": bucket.key}
        with Stack({"quarantine": {**held, "secret_file": str(secret)}}) as stack:
            place = Place(url, "", bucket.url, bucket.endpoint, bucket.region, bucket.key, bucket.secret)
            yield Nodes(stack, server, place)


@pytest.mark.threat("QUA-03", "QUA-05")
def test_held_and_released(nodes: Nodes) -> None:
    """What one node holds, another lists, reads and releases."""
    outcome = nodes.send("i.zip", BROKEN)
    assert (outcome.code, outcome.action) == (250, "quarantine")
    with closing(nodes.quarantine()) as quarantine:
        (entry,) = [one for one in quarantine.entries() if one.recipients == outcome.recipients]
    config = nodes.stack.folder / "other.toml"
    config.write_text(
        f'[quarantine]\nurl = "{nodes.place.url}"\nblobs = "{nodes.place.blobs}"\nendpoint = "{nodes.place.endpoint}"\n'
        f'access_key = "key"\nsecret_file = "{nodes.stack.filterd.settings["quarantine"]["secret_file"]}"\n'
        f'release = "inet:{nodes.stack.postfix.release_port}@127.0.0.1"\n'
        f'[paths]\nstate = "{nodes.stack.folder}/other"\n'
    )
    argv = [sys.executable, "-m", "filterd", "quarantine"]
    for command in (["list"], ["release", entry.id], ["verify"], ["audit", "verify"]):
        done = subprocess.run([*argv, *command, "--config", str(config)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    nodes.stack.delivered(outcome)


@pytest.mark.threat("RES-05")
def test_ledger_gone(nodes: Nodes) -> None:
    """While the ledger is down, clean mail flows and what must be held is put off; then it is held."""
    nodes.server.kill()
    try:
        assert nodes.send("i.zip", BROKEN).code // 100 == 4
        clean = nodes.send("minutes.txt", b"Nothing to see.\r\n")
        assert clean.code == 250
        nodes.stack.delivered(clean)
    finally:
        nodes.server.start()
    held: list[Outcome] = []

    def again() -> bool:
        held.append(nodes.send("i.zip", BROKEN))
        return held[-1].code == 250

    wait_until(again, "the ledger to be used again")
    with closing(nodes.quarantine()) as quarantine:
        assert held[-1].recipients in [one.recipients for one in quarantine.entries()]
