"""The whole way of a message through Sendmail: as tests.support.stack, with Sendmail in the place of Postfix."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.support.daemon import Settings
from tests.support.dnsserver import DnsServer
from tests.support.sendmail import Network, Sendmail, run_folder
from tests.support.smtp import Pose, SmtpClient
from tests.support.stack import Stack
from tests.support.world import GOOD, zone


class SendmailStack(Stack):
    """Starts everything on entering; `changes` are made in the shipped lines of sendmail.mc."""

    def __init__(self, settings: Settings | None = None, *, changes: Sequence[tuple[str, str]] = ()) -> None:
        """Nothing is started yet."""
        super().__init__(settings)
        self._changes = tuple(changes)

    def __enter__(self) -> Self:
        """Start network, mailbox, DNS, filterd and Sendmail."""
        with ExitStack() as running:
            self.folder: Path = running.enter_context(run_folder())
            self.network = running.enter_context(Network(self.folder))
            self.sink = running.enter_context(self.network.sink())
            self.dns = running.enter_context(DnsServer(zone()))
            settings = {**self._settings}
            settings["dns"] = {"nameservers": [f"127.0.0.1:{self.dns.port}"]} | dict(settings.get("dns", {}))
            settings["milter"] = {"authserv_id": "mx.filterd.test"} | dict(settings.get("milter", {}))
            self.filterd = self.make_filterd(self.folder, settings)
            running.enter_context(self.filterd)
            self.sendmail = running.enter_context(self.make_sendmail(Path(self.filterd.listen.removeprefix("unix:"))))
            self._running = running.pop_all()
        return self

    def make_sendmail(self, milter: Path) -> Sendmail:
        """The MTA; a test of another configuration replaces this."""
        folder = self.folder / "sendmail"
        return Sendmail(folder, self.network, sink_port=self.sink.port, milter=milter, changes=self._changes)

    def client(self, pose: Pose | None = None) -> SmtpClient:
        """A session that comes from that address."""
        return self.network.client(self.sendmail.port, pose or GOOD)
