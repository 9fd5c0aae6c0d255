"""`make demo`: eight messages through a private Postfix with filterd as its milter, and what became of them.

Nothing of the system is touched and nothing leaves the machine: Postfix, filterd, the DNS server and the mailbox behind
live in one temporary folder on loopback and end with it.
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.support.daemon import COMMAND, Filterd, Settings
from tests.support.dnsserver import DnsServer
from tests.support.postfix import Postfix
from tests.support.process import open_folder, wait_until
from tests.support.sink import Sink
from tests.support.smtp import Pose, Sent, send
from tests.support.world import (
    GOOD,
    LISTED,
    SPAM,
    STRANGER,
    eicar_zip,
    message,
    signed,
    with_attachment,
    zone,
)

TEN_MB = 10_000_000
WIDTH = 150  # columns where there is no terminal to ask
Case = tuple[str, Pose, str, bytes]


def cases(now: int) -> list[Case]:
    """Name, client, envelope sender, message."""
    clean = signed(message("alice@aligned.test", "Minutes of Monday"), now=now)
    broken = signed(message("alice@aligned.test", "Our bank details"), now=now).replace(
        b"attached below", b"in the link"
    )
    big = with_attachment("alice@aligned.test", "The plans", "plans.bin", bytes(range(256)) * (TEN_MB // 256))
    return [
        ("clean and aligned", GOOD, "alice@aligned.test", clean),
        ("SPF fail", STRANGER, "bob@hard.test", message("bob@hard.test", "Hello again")),
        ("broken DKIM", GOOD, "alice@aligned.test", broken),
        ("DMARC p=reject, spoofed", STRANGER, "x@elsewhere.test", message("ceo@strict.test", "Urgent transfer")),
        ("client on block lists", LISTED, "eve@bulk.test", message("eve@bulk.test", "Hello")),
        (
            "EICAR in a zip",
            GOOD,
            "alice@aligned.test",
            with_attachment("alice@aligned.test", "Invoice", "i.zip", eicar_zip()),
        ),
        ("spammy text", STRANGER, "winner@cheap.test", SPAM),
        ("10 MB attachment", GOOD, "alice@aligned.test", signed(big, now=now)),
    ]


def main() -> None:
    """Run it and print two tables."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with open_folder() as folder, Sink() as sink, DnsServer(zone()) as dns:
        settings: Settings = {"dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}, "log": {"format": "json"}}
        console.print("starting filterd and Postfix ...")
        with (
            Filterd(folder, settings) as filterd,
            Postfix(folder / "postfix", sink_port=sink.port, milter=filterd.milter) as postfix,
        ):
            table = Table("message", "the client was told", "action", "why", title="What became of eight messages")
            for name, pose, sender, mail in cases(int(time.time())):
                console.print(f"sending: {name}")
                before = len(filterd.events("message"))
                sent = send(postfix.port, mail, sender, ["user@local.test"], pose)
                wait_until(lambda known=before: len(filterd.events("message")) > known, "its line in the log")  # type: ignore[misc]  # the default binds it now
                table.add_row(name, *_row(sent, filterd.events("message")[-1]))
            console.print(table)
            postfix.wait_empty()
            delivered = [text.decode() for one in sink.messages for text in one.values("X-Filterd-Score")]
            console.print(
                f"delivered: {len(sink.messages)}; their scores: {', '.join(line.split()[0] for line in delivered)}"
            )
            _quarantine(filterd.config)


def _row(sent: Sent, event: dict[str, object]) -> Sequence[str]:
    symbols = event["symbols"]
    assert isinstance(symbols, list)
    heaviest = sorted(symbols, key=lambda pair: -abs(float(pair.partition("=")[2])))[:4]
    return str(sent.last), str(event["action"]), f"{event['code']} ({event['score']}): {', '.join(heaviest)}"


def _quarantine(config: Path) -> None:
    sys.stdout.write("\n$ filterd quarantine list\n")
    sys.stdout.flush()
    subprocess.run([*COMMAND, "quarantine", "list", "--config", str(config)], check=True)


if __name__ == "__main__":
    main()
