"""The command line. Exit codes: 0 done (whatever the verdict), 1 it failed, 2 usage; `scan --fail-on` adds 3."""

import sys
import traceback
from types import TracebackType

import typer

from filterd.cli import (
    backup,
    campaigns,
    configuration,
    custody,
    daemon,
    deletion,
    digest,
    dmarc,
    dnsbl,
    doctor,
    domain,
    expiry,
    explain,
    export,
    importing,
    learn,
    limits,
    lists,
    quarantine,
    release,
    replay,
    report,
    review,
    reviewer,
    rules,
    scan,
    status,
    teaching,
    trace,
)
from filterd.config.secrets import masked

app = typer.Typer(
    name="filterd",
    help="A mail filter beside Postfix or Sendmail. Example: filterd scan --client-ip 192.0.2.1 message.eml",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,  # any markup would swallow something: names of tables in brackets, asterisks of globs
    pretty_exceptions_enable=False,
)
app.command()(daemon.run)
app.command()(status.reload)
app.command()(status.restart)
app.command()(status.status)
app.command()(doctor.doctor)
app.command()(daemon.version)
app.command()(scan.scan)
app.command()(explain.explain)
app.command()(replay.replay)
app.command()(trace.trace)
app.command()(report.report)
app.command()(domain.domain)
app.command()(backup.backup)
app.command()(backup.restore)
app.add_typer(configuration.app, name="config")
for command in (
    export.export,
    campaigns.campaigns,
    release.release,
    deletion.delete,
    release.restore,
    teaching.learn,
    release.keep,
    release.purge,
    expiry.expire,
    custody.verify,
    custody.stats,
):
    quarantine.app.command()(command)
quarantine.app.command("explain")(explain.explain_held)
quarantine.app.command()(digest.digest)
quarantine.app.command("rotate")(digest.rotate_key)
quarantine.app.command()(review.review)
quarantine.app.add_typer(custody.audit, name="audit")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(reviewer.app, name="reviewer")
app.add_typer(dmarc.app, name="dmarc")
app.add_typer(dnsbl.app, name="dnsbl")
app.add_typer(limits.app, name="limits")
app.add_typer(lists.app, name="list")
app.add_typer(importing.app, name="import")
app.add_typer(rules.app, name="rules")
app.add_typer(learn.app, name="learn")


def main() -> None:
    """Run the command line. A bug of ours shows where it is, and no secret that was read before."""
    sys.excepthook = _tell
    app()


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    sys.stderr.write(masked("".join(traceback.format_exception(kind, error, trace))))
