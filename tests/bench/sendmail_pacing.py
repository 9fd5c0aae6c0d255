"""How Sendmail paces a milter, and what early lookups gain: `python -m tests.bench.sendmail_pacing`, one minute.

First a milter that only writes down when it is called: how long after the client's command. Then filterd with a DNS of
50 ms per answer, every sender new: how long the client waits at each step, with commands 300 ms apart and all at once,
beside the same Sendmail's port without a filter; and filterd's own part of the last wait, as its log line tells.
"""

import itertools
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.bench.passes import quantile
from tests.support.daemon import Filterd
from tests.support.dnsserver import DnsServer, Records
from tests.support.process import Process, wait_until
from tests.support.sendmail import PORT, RELEASE_PORT, Network, Sendmail, run_folder
from tests.support.signing import key_record
from tests.support.smtp import SmtpClient, wire
from tests.support.world import SELECTOR, message, signed

DNS: Final = 0.05  # seconds per answer
PACE: Final = 0.3  # seconds between two commands
COUNT: Final = 16  # messages of a case
TOGETHER: Final = 4
STEPS: Final = ("MAIL", "RCPT", "DATA", ".")
NUMBERS: Final = itertools.count(1)
# What it is called with, and when: seconds of the clock that all processes of the host share.
RECORDER: Final = """
import os, sys, time, Milter
out = open(sys.argv[2], "a", buffering=1)
def note(name):
    def called(self, *rest):
        out.write(f"{name} {time.monotonic():.6f}\\n")
        return Milter.CONTINUE
    return called
class Recorder(Milter.Base):
    connect, hello, envfrom, envrcpt = note("connect"), note("helo"), note("mail"), note("rcpt")
    data, header, eoh, body, eom = note("data"), note("header"), note("eoh"), note("body"), note("eom")
Milter.factory = Recorder
Milter.runmilter("recorder", sys.argv[1], 30)
"""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message: when each step was sent, and the milliseconds until its answer."""

    at: tuple[float, ...]
    waits: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message of a sender whom nobody has asked about before."""

    number: int
    raw: bytes

    @property
    def domain(self) -> str:
        """Its sender's."""
        return f"p{self.number}.test"

    @property
    def address(self) -> str:
        """Its client's."""
        return f"198.51.100.{self.number}"


def mails(*, sign: bool) -> list[Mail]:
    """As many as a case has, signed or not."""
    made = []
    for number in itertools.islice(NUMBERS, COUNT):
        raw = message(f"a@p{number}.test", f"Minutes {number}", number=number)
        made.append(Mail(number, signed(raw, f"p{number}.test", now=int(time.time())) if sign else raw))
    return made


def records(most: int) -> dict[str, dict[str, Records]]:
    """What the DNS says of all of them."""
    found: dict[str, dict[str, Records]] = {}
    for number in range(1, most + 1):
        domain, address = f"p{number}.test", f"198.51.100.{number}"
        found[domain] = {"TXT": f"v=spf1 ip4:{address} -all", "A": address, "MX": f"10 mail.{domain}"}
        found[f"mail.{domain}"] = {"A": address, "TXT": "v=spf1 a -all"}
        found[f"{number}.100.51.198.in-addr.arpa"] = {"PTR": f"mail.{domain}"}
        found[f"_dmarc.{domain}"] = {"TXT": "v=DMARC1; p=reject"}
        found[f"{SELECTOR}._domainkey.{domain}"] = {"TXT": key_record()}
    return found


def send(network: Network, port: int, mail: Mail, pause: float) -> Sent:
    """One session with one message. ValueError where it is not taken."""
    source = mail.address if port == PORT else "127.0.0.1"
    at, waits = [], []
    with network.inside(), SmtpClient(port, helo=f"mail.{mail.domain}", source=source) as client:
        recipient = f"b{mail.number}x{port}@local.test"
        commands = (f"MAIL FROM:<a@{mail.domain}>", f"RCPT TO:<{recipient}>", "DATA")
        for content in (*(f"{one}\r\n".encode() for one in commands), wire(mail.raw)):
            time.sleep(pause)
            at.append(time.monotonic())
            client.send(content)
            answer = client.reply()
            waits.append((time.monotonic() - at[-1]) * 1000)
            if answer.code >= 400:
                raise ValueError(f"message {mail.number}: {answer}")
        client.quit()
    return Sent(tuple(at), tuple(waits))


@contextmanager
def recording(folder: Path) -> Iterator[tuple[Path, Path]]:
    """The milter that writes down: its socket and its file."""
    path, log = folder / "recorder.sock", folder / "calls"
    milter = Process([sys.executable, "-c", RECORDER, f"unix:{path}", str(log)], folder / "recorder.log")
    try:
        wait_until(path.exists, "the recorder's socket")
        yield path, log
    finally:
        milter.kill()


def pacing(folder: Path, network: Network, sink_port: int) -> str:
    """When a milter is called behind the client's commands that come 300 ms apart: milliseconds, the medians."""
    lags: dict[str, list[float]] = {}
    with recording(folder) as (path, log), Sendmail(folder / "s1", network, sink_port=sink_port, milter=path):
        for mail in mails(sign=False)[: COUNT // 2]:
            log.write_text("")
            sent = send(network, PORT, mail, PACE)
            calls: dict[str, float] = {}
            for name, when in (line.split() for line in log.read_text().splitlines()):
                calls.setdefault(name, float(when))
            behind = dict(zip(("mail", "rcpt", "data", "header"), sent.at, strict=True))
            behind["eom"] = sent.at[-1]
            for name, since in behind.items():
                lags.setdefault(name, []).append((calls[name] - since) * 1000)
    rows = [f"  {name:7} {quantile(sorted(found), 0.5):6.1f}" for name, found in lags.items()]
    return "\n".join(["A milter's callback behind the client's command (ms, median)", *rows])


def measure(title: str, mail: Sequence[Mail], sending: Callable[[Mail], Sent]) -> str:
    """One row: the median wait of each step, and the longest of the last."""
    with ThreadPoolExecutor(TOGETHER) as pool:
        found = list(pool.map(sending, mail))
    medians = [quantile(sorted(one.waits[step] for one in found), 0.5) for step in range(len(STEPS))]
    longest = max(one.waits[-1] for one in found)
    return f"{title:46}" + "".join(f"{one:8.1f}" for one in medians) + f"{longest:8.1f}"


def own(filterd: Filterd, mail: Sequence[Mail]) -> float:
    """The median of what filterd itself took from the end of the message to its verdict, milliseconds."""
    wanted = {f"b{one.number}x{PORT}@local.test" for one in mail}
    found = [float(one["ms"]) for one in filterd.events("message") if one["recipients"][0] in wanted]
    return quantile(sorted(found), 0.5)


def main() -> int:
    """Measure and print."""
    with ExitStack() as stack:
        folder = stack.enter_context(run_folder())
        network = stack.enter_context(Network(folder))
        sink = stack.enter_context(network.sink())
        sys.stdout.write(f"{pacing(folder, network, sink.port)}\n\n")
        dns = stack.enter_context(DnsServer(records(250), delay=DNS))
        filterd = stack.enter_context(Filterd(folder, {"dns": {"nameservers": [f"127.0.0.1:{dns.port}"]}}))
        milter = Path(filterd.listen.removeprefix("unix:"))
        stack.enter_context(Sendmail(folder / "s2", network, sink_port=sink.port, milter=milter))
        for mail in mails(sign=False)[:TOGETHER]:
            send(network, PORT, mail, 0.0)  # every process has seen mail before
        sys.stdout.write(f"{'median wait at each step (ms), DNS 50 ms':46}" + "".join(f"{one:>8}" for one in STEPS))
        sys.stdout.write("     max  filterd\n")
        for kind, sign in (("unsigned", False), ("signed, first contact", True)):
            for pause, words in ((PACE, "300 ms apart"), (0.0, "all at once")):
                made = mails(sign=sign)
                for port, whose in ((RELEASE_PORT, "no filter"), (PORT, "filtered")):
                    title = f"{kind}, {words}, {whose}"
                    row = measure(title, made, lambda one, p=port, s=pause: send(network, p, one, s))  # type: ignore[misc]
                    sys.stdout.write(row if port == PORT else f"{row}\n")
                sys.stdout.write(f"{own(filterd, made):9.1f}\n")
        events = filterd.events("message")
        wrong = [one for one in events if one["action"] != "accept"]
        sys.stdout.write(f"{len(events)} messages, {len(wrong)} not accepted\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
