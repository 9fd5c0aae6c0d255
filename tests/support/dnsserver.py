"""An authoritative DNS server for tests and benches: any records, any fault, on loopback, quick.

    with DnsServer({"example.test": {"TXT": "v=spf1 -all", "MX": ["10 mail.example.test"]}}) as server:
        server.port; server.set("mail.example.test", "A", ["192.0.2.1"]); server.fault("servfail", "slow.test")
        server.asked   # [("example.test", "TXT", "udp"), ...]

A zone maps names ("*.example.test" too) to record types to one text or a list of texts in zone file form, names without
trailing dot; TXT texts are taken as they are, one latin-1 character per byte. What is not in the zone is NXDOMAIN with
an SOA. Faults: servfail refused formerr nxdomain nodata drop tc garbage malformed wrongid wrongname wrongcase referral.
As a process: `python tests/support/dnsserver.py --zone FILE.toml --port P [--delay MS]` prints its port; the file's
tables are names, `[[fault]]` tables have kind, name, type and delay (milliseconds).
"""

import argparse
import asyncio
import contextlib
import functools
import os
import socket
import struct
import sys
import threading
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import uvloop

Records: TypeAlias = str | Sequence[str]
ZoneData: TypeAlias = Mapping[str, Mapping[str, Records]]

TTL = 300
NEGATIVE_TTL = 60  # seconds; the SOA's minimum
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; bursts of a bench overflow the usual buffer
RECEIVE_BUFFER = 4 << 20
CACHED_REPLIES = 100_000
PACKETS_PER_WAKEUP = 64
RCODES = {"formerr": 1, "servfail": 2, "nxdomain": 3, "refused": 5, "nodata": 0}


@functools.cache
def _type_name(code: int) -> str:
    """A type's name."""
    return dns.rdatatype.to_text(dns.rdatatype.RdataType.make(code))


class Zone:
    """Records ready for the wire. Thread-safe: writers replace whole values."""

    def __init__(self, data: ZoneData) -> None:
        """Take the records as `set` does."""
        self._sets: dict[tuple[str, int], tuple[tuple[int, bytes], ...]] = {}
        self._names: set[str] = set()
        soa = "ns.test. hostmaster.test. 1 3600 900 86400 60"
        self._soa = self._record("SOA", soa)[1]
        for name, sets in data.items():
            for rtype, records in sets.items():
                self.set(name, rtype, records)

    def set(self, name: str, rtype: str, records: Records, *, ttl: int = TTL) -> None:
        """Replace a record set; no records remove it (the name goes on to exist)."""
        texts = [records] if isinstance(records, str) else records
        code = int(dns.rdatatype.from_text(rtype))
        wires = [
            struct.pack(">HHIH", code, 1, ttl, len(wire)) + wire for _, wire in (self._record(rtype, t) for t in texts)
        ]
        if wires:
            self._sets[name.lower(), code] = tuple([(code, wire) for wire in wires])
        else:
            self._sets.pop((name.lower(), code), None)
        labels = name.lower().split(".")
        self._names |= {".".join(labels[index:]) for index in range(len(labels))}

    @staticmethod
    def _record(rtype: str, text: str) -> tuple[int, bytes]:
        """Type code and data of one record."""
        code = dns.rdatatype.from_text(rtype)
        if rtype.upper() == "TXT":
            data = text.encode("latin-1")
            chunks = [data[start : start + 255] for start in range(0, len(data), 255)] or [b""]
            return int(code), b"".join([bytes([len(chunk)]) + chunk for chunk in chunks])
        rdata = dns.rdata.from_text(dns.rdataclass.IN, code, text, origin=dns.name.root, relativize=False)
        wire = rdata.to_wire()
        assert wire is not None
        return int(code), wire

    def find(self, name: str, code: int) -> tuple[int, list[tuple[str, bytes]], bool]:
        """The rcode, (owner, record) pairs along the aliases, and whether the answer is negative."""
        found: list[tuple[str, bytes]] = []
        for _ in range(9):
            records = self._match(name, code)
            if records:
                return 0, found + [(name, wire) for _, wire in records], False
            alias = self._match(name, 5)
            if not alias:
                break
            found.append((name, alias[0][1]))
            if any(owner == name for owner, _ in found[:-1]):
                return 0, found, True
            name = _text(alias[0][1][10:])
        exists = name in self._names or self._wild(name) is not None
        return (0 if exists else 3), found, True

    def soa(self) -> bytes:
        """The authority section of a negative answer, owned by the root."""
        return b"\0" + struct.pack(">HHIH", 6, 1, NEGATIVE_TTL, len(self._soa)) + self._soa

    def _match(self, name: str, code: int) -> tuple[tuple[int, bytes], ...]:
        records = self._sets.get((name, code))
        if records is None and name not in self._names and (wild := self._wild(name)) is not None:
            records = self._sets.get((wild, code))
        return records or ()

    def _wild(self, name: str) -> str | None:
        """The wildcard that covers a name (RFC 4592: the one at the closest existing ancestor)."""
        rest = name
        while rest:
            rest = rest.partition(".")[2]
            if rest in self._names or not rest:
                wild = f"*.{rest}" if rest else "*"
                return wild if wild in self._names else None
        return None


def _text(wire: bytes) -> str:
    """An uncompressed wire name as text."""
    labels, offset = [], 0
    while wire[offset]:
        labels.append(wire[offset + 1 : offset + 1 + wire[offset]].decode("latin-1").lower())
        offset += 1 + wire[offset]
    return ".".join(labels)


def _wire(name: str) -> bytes:
    """The other way round."""
    return b"".join([bytes([len(label)]) + label.encode("latin-1") for label in name.split(".")]) + b"\0"


class DnsServer:
    """The server in a thread of its own; `port` is the same for UDP and TCP."""

    def __init__(self, zone: ZoneData | None = None, *, port: int = 0, delay: float = 0.0, record: bool = True) -> None:
        """`delay` in seconds applies to every answer; `record` keeps the list of questions."""
        self.zone = Zone(zone or {})
        self.port = port
        self.asked: list[tuple[str, str, str]] = []
        self.authenticated = False  # set the AD bit
        self._delay = delay
        self._record = record
        self._faults: dict[tuple[str, str], tuple[str, float]] = {}
        self._cache: dict[bytes, bytes] = {}
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="dnsserver", daemon=True)
        self._ready = threading.Event()
        self._udp: socket.socket | None = None
        self._tcp: asyncio.Server | None = None

    def set(self, name: str, rtype: str, records: Records, *, ttl: int = TTL) -> None:
        """Change the zone; the next question sees it."""
        self.zone.set(name, rtype, records, ttl=ttl)
        self._cache = {}

    def fault(self, kind: str, name: str = "*", rtype: str = "*", *, delay: float = 0.0) -> None:
        """Answer a name and type ("*": all) with a fault, or only late (kind ""), `delay` in seconds."""
        self._faults[name.lower(), rtype.upper()] = kind, delay
        self._cache = {}

    def heal(self) -> None:
        """No faults any more."""
        self._faults = {}
        self._cache = {}

    def count(self, name: str, rtype: str) -> int:
        """How often this was asked."""
        return sum([entry[:2] == (name, rtype) for entry in list(self.asked)])

    def start(self) -> None:
        """Bind and serve; `port` is set when this returns."""
        tcp = self._bind()
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(tcp), self._loop).result(10)

    def stop(self) -> None:
        """Stop serving and close everything."""
        asyncio.run_coroutine_threadsafe(self._shut(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
        if self._udp is not None:
            self._udp.close()

    def __enter__(self) -> Self:
        """Started."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stopped."""
        self.stop()

    def _bind(self) -> socket.socket:
        """Both sockets on one port."""
        for _ in range(20):
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            try:
                tcp.bind(("127.0.0.1", self.port))
                udp.bind(tcp.getsockname())
            except OSError:
                tcp.close()
                udp.close()
                if self.port:
                    raise
                continue
            with contextlib.suppress(OSError):
                udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
            self.port = tcp.getsockname()[1]
            self._udp = udp
            return tcp
        raise OSError("no port that is free for UDP and TCP")

    def _run(self) -> None:
        self._loop.run_forever()

    async def _serve(self, tcp: socket.socket) -> None:
        assert self._udp is not None
        self._loop.add_reader(self._udp.fileno(), self._readable)
        self._tcp = await asyncio.start_server(self._stream, sock=tcp)

    async def _shut(self) -> None:
        assert self._udp is not None
        assert self._tcp is not None
        self._loop.remove_reader(self._udp.fileno())
        self._tcp.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _readable(self) -> None:
        udp = self._udp
        assert udp is not None
        for _ in range(PACKETS_PER_WAKEUP):
            try:
                query, client = udp.recvfrom(65_535)
            except OSError:
                return
            reply, delay = self._reply(query, "udp")
            if reply is None:
                continue
            if delay:
                self._loop.call_later(delay, self._send, reply, client)
            else:
                self._send(reply, client)

    def _send(self, reply: bytes, client: Any) -> None:
        assert self._udp is not None
        with contextlib.suppress(OSError):
            self._udp.sendto(reply, client)

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                reply, delay = self._reply(await reader.readexactly(size), "tcp")
                await asyncio.sleep(delay)
                if reply is None:
                    await asyncio.sleep(3600)
                    continue
                writer.write(len(reply).to_bytes(2, "big") + reply)
        except (EOFError, OSError):
            pass
        finally:
            writer.close()

    def _reply(self, query: bytes, transport: str) -> tuple[bytes | None, float]:
        """The answer's bytes (None: silence) and its delay in seconds."""
        offset, labels = 12, []
        while query[offset]:
            labels.append(query[offset + 1 : offset + 1 + query[offset]])
            offset += 1 + query[offset]
        code = query[offset + 1] << 8 | query[offset + 2]
        end = offset + 5
        name = b".".join(labels).decode("latin-1").lower()
        if self._record:
            self.asked.append((name, _type_name(code), transport))
        if self._faults:
            fault, delay = self._fault(name, _type_name(code))
            if fault:
                return self._faulty(fault, query, end, transport), delay or self._delay
        else:
            delay = 0.0
        key = query[2:] + transport.encode()
        body = self._cache.get(key)
        if body is None:
            if len(self._cache) >= CACHED_REPLIES:
                self._cache = {}
            limit = 65_535
            if transport == "udp":
                limit = int.from_bytes(query[end + 3 : end + 5], "big") if query[end : end + 3] == b"\0\0\x29" else 512
            body = self._cache[key] = self._answer(query[12:end], name, code, limit)
        return query[:2] + body, delay or self._delay

    def _answer(self, section: bytes, name: str, code: int, limit: int) -> bytes:
        """Everything behind the id."""
        rcode, found, negative = self.zone.find(name, code)
        owners = [b"\xc0\x0c" + wire if owner == name else _wire(owner) + wire for owner, wire in found]
        authority = self.zone.soa() if negative else b""
        body = (
            struct.pack(">5H", 0x8580 | rcode | (0x20 if self.authenticated else 0), 1, len(owners), int(negative), 1)
            + section
            + b"".join(owners)
            + authority
            + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
        )
        if len(body) + 2 > limit:
            return struct.pack(">5H", 0x8780, 1, 0, 0, 0) + section
        return body

    def _fault(self, name: str, rtype: str) -> tuple[str, float]:
        """The most special fault for a question."""
        for key in ((name, rtype), (name, "*"), ("*", rtype), ("*", "*")):
            if key in self._faults:
                return self._faults[key]
        return "", 0.0

    def _faulty(self, fault: str, query: bytes, end: int, transport: str) -> bytes | None:
        """A bad answer."""
        section = query[12:end]
        code = int.from_bytes(section[-4:-2], "big")
        name = _text(section)
        limit = 65_535
        if fault in {"drop", "garbage"}:
            return os.urandom(60) if fault == "garbage" else None
        if fault in RCODES:
            soa = self.zone.soa() if fault in {"nxdomain", "nodata"} else b""
            return query[:2] + struct.pack(">5H", 0x8180 | RCODES[fault], 1, 0, int(bool(soa)), 0) + section + soa
        if fault == "referral":
            # The root's name servers: the root's name, type NS, class IN, a TTL, and a name of two labels.
            servers = struct.pack(">BHHIH", 0, 2, 1, 300, 9) + b"\2ns\4test\0"
            return query[:2] + struct.pack(">5H", 0x8000, 1, 0, 1, 0) + section + servers
        if fault == "tc":
            return query[:2] + self._answer(section, name, code, 0 if transport == "udp" else limit)
        good = query[:2] + self._answer(section, name, code, limit)
        bad = {
            "malformed": good[: end + 5],
            "wrongid": bytes([good[0] ^ 1]) + good[1:],
            "wrongname": good[:13] + bytes([good[13] ^ 2]) + good[14:],
            "wrongcase": good[:13] + bytes([good[13] ^ 0x20]) + good[14:],
        }
        return bad[fault]


def main() -> None:
    """Serve a zone file until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--zone", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.0, help="milliseconds")
    options = parser.parse_args()
    data = tomllib.loads(options.zone.read_text("utf-8"))
    faults = data.pop("fault", [])
    server = DnsServer(data, port=options.port, delay=options.delay / 1000, record=False)
    for fault in faults:
        server.fault(fault["kind"], fault.get("name", "*"), fault.get("type", "*"), delay=fault.get("delay", 0) / 1000)
    server.start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    threading.Event().wait()


if __name__ == "__main__":
    main()
