"""One question over one TCP connection (RFC 1035, section 4.2.2; RFC 7766)."""

import asyncio

from filterd.dns.nameserver import Nameserver


async def exchange(server: Nameserver, query: bytes) -> bytes:
    """Send a query, give back the answer: at most 65,535 bytes. OSError or EOFError; the caller bounds the time."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        writer.write(len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await reader.readexactly(2), "big")
        return await reader.readexactly(size)
    finally:
        writer.close()
