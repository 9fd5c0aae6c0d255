"""A stack whose Postfix asks the policy service, with entries in the operator's lists, and what the service counts.

with PolicyStack(SETTINGS, entries=[Entry(Which.BLOCK, Kind.IP, "203.0.113.0/24")]) as stack:
    stack.rcpt("user@local.test", pose, "anna@hard.test"); stack.count("filterd_policy_requests", state="RCPT")
"""

import re
import socket
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from filterd.ownlists import Document, Entry, change
from filterd.store import open_store
from tests.policy.asking import wire
from tests.support.daemon import Filterd, Settings
from tests.support.dnsserver import ZoneData
from tests.support.process import free_port, wait_until
from tests.support.smtp import Pose, Reply, SmtpClient
from tests.support.stack import Stack

END: Final = b"\n\n"
PATIENCE: Final = 60.0  # seconds for one answer; above every bound of the service under test
_SERIES: Final = re.compile(r"^(\w+?)(?:_total)?(?:\{(.*)\})? ([\d.e+]+)$", re.MULTILINE)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')


class PolicyStack(Stack):
    """See Stack. In `restrictions`, lines of main.cf, `{policy}` stands for the service; `[redis] url` may be set."""

    def __init__(
        self,
        settings: Settings,
        *,
        restrictions: Mapping[str, str] | None = None,
        records: ZoneData | None = None,
        entries: Sequence[Entry] = (),
    ) -> None:
        """As shipped, Postfix asks about each recipient."""
        self.policy_port, self._metrics = free_port(), free_port()
        self._entries = tuple(entries)
        service = f"check_policy_service inet:127.0.0.1:{self.policy_port}"
        lines = {"smtpd_recipient_restrictions": "{policy}"} if restrictions is None else restrictions
        super().__init__(
            {
                **settings,
                "policy": {"listen": f"inet:{self.policy_port}@127.0.0.1"} | dict(settings.get("policy", {})),
                "metrics": {"listen": f"inet:{self._metrics}@127.0.0.1"},
            },
            postfix={name: value.replace("{policy}", service) for name, value in lines.items()},
            records=records,
        )

    def make_filterd(self, folder: Path, settings: Settings) -> Filterd:
        """The daemon, its lists filled before it starts."""
        if self._entries:
            state = folder / "state"
            state.mkdir(mode=0o750)
            url = str(settings.get("redis", {}).get("url", ""))
            with closing(open_store(url or None, state)) as store:
                change(store, None, lambda _: Document(0, self._entries))
        return super().make_filterd(folder, settings)

    def rcpt(self, recipient: str, pose: Pose, sender: str) -> Reply:
        """What a client is told about one recipient; then it goes."""
        with SmtpClient(self.postfix.port, pose) as client:
            client.command(f"MAIL FROM:<{sender}>")
            reply = client.command(f"RCPT TO:<{recipient}>")
            client.quit()
        return reply

    def ask(self, recipient: str, pose: Pose, sender: str, **changes: str) -> str:
        """The answer to one request about that recipient, over a connection of its own, asked as Postfix would."""
        known = {
            "client_address": pose.address,
            "client_name": "unknown" if pose.name == "[UNAVAILABLE]" else pose.name,
            "helo_name": pose.helo,
            "sender": sender,
            "recipient": recipient,
            "instance": recipient,
        }
        with socket.create_connection(("127.0.0.1", self.policy_port), PATIENCE) as connection:
            return converse(connection, wire(**(known | changes)))

    def told(self, recipient: str, by: str = "policy") -> dict[str, Any]:
        """The log's newest line about a recipient that was refused before its content, as soon as it is there."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            lines = self.filterd.events("recipient")
            found[:] = [one for one in lines if one["recipients"] == [recipient] and one["by"] == by]
            return bool(found)

        wait_until(look, f"a line about {recipient} by {by}")
        return found[-1]

    def count(self, name: str, **labels: str) -> int:
        """The sum of a metric's series with those labels, now."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._metrics}/metrics", timeout=10) as response:
            text = response.read().decode()
        return round(
            sum(
                float(value)
                for found, pairs, value in _SERIES.findall(text)
                if found == name and labels.items() <= dict(_LABEL.findall(pairs)).items()
            )
        )


def converse(connection: socket.socket, request: bytes) -> str:
    """One request and its answer, without `action=`. ConnectionError where there is none."""
    connection.sendall(request)
    answer = b""
    while not answer.endswith(END):
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError("closed without an answer")
        answer += piece
    return answer.decode().strip().removeprefix("action=")
