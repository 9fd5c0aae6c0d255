"""The roles of deploy/postgresql/roles.sql in a real server: what each may do, and that it may do no more."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from filterd.cli import app
from filterd.model.custody import CustodyError
from filterd.operations.digest import Post
from filterd.operations.digest_mail import Letterhead
from filterd.operations.digest_sheets import Audience, Schedule
from filterd.operations.digest_templates import load_templates
from filterd.quarantine import Actor, Attempt, Lease, Quarantine, State
from filterd.quarantine.digests import Told
from filterd.quarantine.opening import Place, open_quarantine
from filterd.quarantine.relay import Answer, Fate
from tests.quarantine.backends import ROOT, hold, read
from tests.quarantine.samples import evidence, identifier, raw, whole
from tests.support.postgres import PostgresServer, postgres_server

pytestmark = [pytest.mark.integration, pytest.mark.threat("QUA-17")]
ME = Actor("me", "tty1")
TABLES = (
    "entries",
    "audit",
    "head",
    "blobs",
    "litter",
    "ledger_version",
    "digest_rounds",
    "digests",
    "tokens",
    "dmarc_days",
    "dmarc_rows",
    "dmarc_reports",
)
USERS = ("mx_milter", "mx_reviewer", "mx_purge", "mx_upkeep")
COUNTED = ("dmarc_days", "dmarc_rows")
ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
# What each may do with the tables of what is done once, and of what is counted: no more than that.
ONCE = {
    "mx_milter": {("tokens", "INSERT"), *[(table, act) for table in COUNTED for act in ("SELECT", "INSERT", "UPDATE")]},
    "mx_reviewer": set(),
    "mx_purge": set(),
    "mx_upkeep": {
        *[(table, act) for table in ("digest_rounds", "digests", "dmarc_reports") for act in ALL],
        *[(table, act) for table in COUNTED for act in ("SELECT", "DELETE")],
        ("tokens", "SELECT"),
        ("tokens", "DELETE"),
    },
}
SQL = "'; DROP TABLE entries; --"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL for all of them."""
    with postgres_server() as running:
        yield running


class Site:
    """A quarantine whose tables are the owner's, and one login of each role."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        """Make tables and roles as roles.sql says."""
        self._server = server
        self._folder = folder
        self._database = server.fresh()
        self.opened: list[Quarantine] = []
        hold(self.as_("filterd"), 0, b"the owner's")
        psql = shutil.which("psql")
        assert psql is not None
        for _ in range(2):  # it may be run again
            argv = [psql, "-q", "-X", "-d", server.url(self._database), "-f", "deploy/postgresql/roles.sql"]
            subprocess.run(argv, cwd=ROOT, check=True, capture_output=True)
        with psycopg.connect(server.url(self._database), autocommit=True) as owner:
            for role in ("milter", "reviewer", "purge", "upkeep"):
                exists = owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (f"mx_{role}",)).fetchone()
                if exists is None:
                    owner.execute(f"CREATE USER mx_{role} IN ROLE filterd_{role}".encode())

    def as_(self, user: str) -> Quarantine:
        """The quarantine as that user sees it."""
        made = open_quarantine(Place(url=self._server.url(self._database, user)), self._folder)
        self.opened.append(made)
        return made

    def url(self, user: str) -> str:
        """How that user names the ledger."""
        return self._server.url(self._database, user)

    def refuses(self, user: str, statement: str) -> bool:
        """Whether the server lets that user not do this."""
        with psycopg.connect(self._server.url(self._database, user), autocommit=True) as connection:
            try:
                connection.execute(statement.encode())
            except psycopg.errors.InsufficientPrivilege:
                return True
        return False

    def may(self, user: str, table: str, act: str) -> bool:
        """Whether the server says that this user may do this with a table, or with a column of it."""
        columns = act in {"SELECT", "INSERT", "UPDATE"}
        check = "has_any_column_privilege" if columns else "has_table_privilege"
        with psycopg.connect(self._server.url(self._database)) as owner:
            row = owner.execute(f"SELECT {check}(%s, %s, %s)".encode(), (user, table, act)).fetchone()
        assert row is not None
        return bool(row[0])

    def tables(self) -> set[str]:
        """All there are."""
        with psycopg.connect(self._server.url(self._database)) as owner:
            return {row[0] for row in owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


@pytest.fixture
def site(server: PostgresServer, tmp_path: Path) -> Iterator[Site]:
    """One for each test."""
    made = Site(server, tmp_path / "quarantine")
    yield made
    for one in made.opened:
        one.close()


def test_milter(site: Site) -> None:
    """The milter's role holds messages, those that are there already too, and does nothing else."""
    milter = site.as_("mx_milter")
    milter.prepare()
    for number, body in enumerate((b"new", b"new", b"the owner's"), 1):
        assert hold(milter, number, body) == identifier(number)
    owner = site.as_("filterd")
    assert [read(owner, identifier(number)) for number in (1, 2, 3)] == [
        whole(body) for body in (b"new", b"new", b"the owner's")
    ]
    for act in (milter.entries, lambda: milter.delete(identifier(1), ME), lambda: milter.purge(identifier(1), ME, "")):
        with pytest.raises(CustodyError, match="permission denied"):
            act()
    assert site.refuses("mx_milter", "SELECT sender FROM entries")
    assert site.refuses("mx_milter", "UPDATE entries SET state = 'deleted'")
    assert site.refuses("mx_milter", "UPDATE blobs SET object = ''")
    assert site.refuses("mx_milter", "SELECT * FROM audit")


@pytest.mark.parametrize("user", USERS)
def test_audit_is_nobodys(site: Site, user: str) -> None:
    """No role alters or removes an audit row, or any table."""
    assert site.refuses(user, "DELETE FROM audit")
    assert site.refuses(user, "UPDATE audit SET actor = 'nobody'")
    assert site.refuses(user, "DELETE FROM head")
    assert site.refuses(user, "UPDATE ledger_version SET version = 0")
    assert all(site.refuses(user, f"TRUNCATE {table}") for table in TABLES)
    assert all(site.refuses(user, f"DROP TABLE {table}") for table in TABLES)
    assert site.as_("filterd").verify_audit().broken is None


def test_reviewer(site: Site) -> None:
    """The reviewer's role lists, reads, deletes, restores, keeps and releases; it adds and removes no row."""
    hold(site.as_("mx_milter"), 1)
    reviewer = site.as_("mx_reviewer")
    assert [entry.id for entry in reviewer.entries()] == [identifier(1), identifier(0)]
    assert (read(reviewer, identifier(1)), reviewer.evidence(identifier(1)).id) == (whole(), identifier(1))
    assert reviewer.delete(identifier(1), ME) is None
    assert reviewer.restore(identifier(1), ME) is None
    reviewer.keep(identifier(1), ME, on=True)
    lease = Lease("mine", time.time() + 60)
    assert reviewer.begin_release(identifier(1), ME, ("to@b.test",), lease) is None
    assert reviewer.end_attempt(identifier(1), ME, lease, Attempt(State.DELIVERED, "250 ok"))
    with pytest.raises(CustodyError, match="permission denied"):
        reviewer.purge(identifier(0), ME, "asked")
    with pytest.raises(CustodyError, match="permission denied"):
        hold(reviewer, 5)
    assert site.refuses("mx_reviewer", "DELETE FROM entries")
    assert site.refuses("mx_reviewer", "UPDATE entries SET sender = ''")
    assert reviewer.verify_audit().broken is None


def test_purge(site: Site) -> None:
    """The purging role removes an entry with its files, and reads neither messages' texts nor the audit."""
    hold(site.as_("mx_milter"), 1)
    purge = site.as_("mx_purge")
    assert purge.purge(identifier(1), ME, "asked")
    for act in (purge.entries, lambda: purge.open_raw(identifier(0)), lambda: purge.evidence(identifier(0))):
        with pytest.raises(CustodyError, match="permission denied"):
            act()
    assert site.refuses("mx_purge", "SELECT subject FROM entries")
    assert site.refuses("mx_purge", "SELECT * FROM audit")
    owner = site.as_("filterd")
    with pytest.raises(KeyError):
        owner.evidence(identifier(1))
    assert owner.verify_audit().broken is None


def test_every_table_is_thought_of(site: Site) -> None:
    """roles.sql takes each table there is from everybody first: a new one cannot be forgotten."""
    text = (ROOT / "deploy" / "postgresql" / "roles.sql").read_text()
    named = set("".join(text.partition("REVOKE ALL ON ")[2].partition("FROM")[0].split()).split(","))
    assert site.tables() == named == set(TABLES)


@pytest.mark.parametrize("user", USERS)
def test_what_is_done_once(site: Site, user: str) -> None:
    """Digests are the upkeep's; a token's row is added by the milter, removed by the upkeep, and changed by nobody.

    What DMARC found is counted by the milter and forgotten by the upkeep, which alone knows what was reported.
    """
    acts = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")
    tables = ("digest_rounds", "digests", "tokens", *COUNTED, "dmarc_reports")
    assert {(table, act) for table in tables for act in acts if site.may(user, table, act)} == ONCE[user]


def test_tokens(site: Site) -> None:
    """The milter uses a token once, sees none, and takes none back; the upkeep forgets the old ones alone."""
    milter = site.as_("mx_milter")
    assert [milter.redeemed.redeem(nonce, 50.0) for nonce in ("a", "b", "a")] == [True, True, False]
    assert [milter.redeemed.redeem_all(nonces, 50.0) for nonces in (("c", "b"), ("c", "d"))] == [False, True]
    assert site.refuses("mx_milter", "SELECT nonce FROM tokens")
    assert site.refuses("mx_milter", "DELETE FROM tokens")
    assert site.refuses("mx_milter", "UPDATE tokens SET nonce = 'c'")
    assert site.refuses("mx_milter", "INSERT INTO tokens VALUES ('a', 9) ON CONFLICT (nonce) DO UPDATE SET expires = 9")
    with pytest.raises(CustodyError, match="permission denied"):
        site.as_("mx_reviewer").redeemed.redeem("c", 50.0)
    upkeep = site.as_("mx_upkeep")
    assert (upkeep.redeemed.forget(50.0), upkeep.redeemed.forget(51.0)) == (0, 4)
    assert site.refuses("mx_upkeep", "INSERT INTO tokens VALUES ('a', 9)")


def test_digests(site: Site) -> None:
    """The upkeep tells people, once; nobody else learns who was told, and none of them is needed for it."""
    hold(site.as_("mx_milter"), 1)
    upkeep = site.as_("mx_upkeep")
    told: list[str] = []

    def deliver(sender: str, recipients: tuple[str, ...], message: bytes) -> Answer:
        assert (sender, identifier(1).encode() in message) == ("", True)
        told.extend(recipients)
        return Answer(Fate.DELIVERED, "250 ok")

    letterhead = Letterhead("filterd@mx.test", "", "mx.test", UTC, load_templates(None))
    post = Post(upkeep, deliver, Audience(("r@c.test",)), letterhead, Schedule(0, 7, 0, UTC))
    assert [mail.count for mail in post.preview()] == [2]
    assert [one.state for one in post.due(ME)] == [Told.SENT]
    assert (list(post.due(ME)), told) == ([], ["r@c.test"])
    for user in USERS[:3]:
        with pytest.raises(CustodyError, match="permission denied"):
            site.as_(user).digests.newest()
    assert site.as_("filterd").verify_audit().broken is None


def test_digests_by_command(site: Site, tmp_path: Path) -> None:
    """`filterd quarantine digest` works as the upkeep's user where there is one: who holds or reviews may not."""
    config = tmp_path / "filterd.toml"
    digest = '[digest]\nreviewers = ["r@c.test"]\nsender = "filterd@mx.test"\n'
    urls = f'[quarantine]\nurl = "{site.url("mx_reviewer")}"\n'
    config.write_text(f'[paths]\nstate = "{tmp_path}"\n{digest}{urls}')
    command = ["quarantine", "digest", "--dry-run", "--json", "--config", str(config)]
    refused = CliRunner().invoke(app, command)
    assert (refused.exit_code, "permission denied for table digest_rounds" in refused.stderr) == (1, True)
    config.write_text(f'{config.read_text()}upkeep_url = "{site.url("mx_upkeep")}"\n')
    assert json.loads(CliRunner().invoke(app, command).stdout)["ids"] == [identifier(0)]


def test_upkeep(site: Site) -> None:
    """The upkeep's role expires and sweeps."""
    upkeep = site.as_("mx_upkeep")
    assert list(upkeep.totals()) == ["score"]
    assert upkeep.expire([(one.id, "old") for one in upkeep.oldest(["score"], time.time())]) == 1
    assert upkeep.sweep(time.time() + 1) == 1
    with pytest.raises(KeyError):
        site.as_("filterd").open_raw(identifier(0))


def test_sql_in_every_field(site: Site) -> None:
    """SQL in whatever a sender or an actor writes is text, and comes back as it was."""
    hostile = replace(evidence(1, sender=SQL, subject=SQL, recipients=(SQL,)), helo=SQL, queue_id=SQL)
    milter, owner = site.as_("mx_milter"), site.as_("filterd")
    with raw() as message:
        milter.hold(hostile, message)
    entry = owner.entry(identifier(1))
    assert entry is not None
    assert (entry.sender, entry.subject, entry.recipients, entry.helo, entry.queue_id) == (SQL, SQL, (SQL,), SQL, SQL)
    owner.note(Actor(SQL, SQL), SQL, identifier(1))
    row = owner.audit(identifier(1))[-1]
    assert (row.actor, row.origin, row.action) == (SQL, SQL, SQL)
    assert owner.begin_release(identifier(1), Actor(SQL), (SQL,), Lease(SQL, time.time() + 60)) is None
    assert owner.verify_audit().broken is None
