"""Tricks with the file's name (MIME-13): the content is harmless, the name is what runs."""

import base64
import random
from typing import Final

from tests.mime.hiding.kit import Attachment, attached, trick

SPELLINGS: Final = (
    'Content-Disposition: attachment; filename="{name}"',
    "Content-Disposition: attachment; filename={name}",
    "Content-Disposition: attachment; filename = {name}",
    "Content-Disposition: attachment; filename*=utf-8''{percent}",
    "Content-Disposition: attachment; filename*=''{percent}",
    "Content-Disposition: attachment; filename*={percent}",
    "Content-Disposition: attachment; filename*0={first}; filename*1={rest}",
    "Content-Disposition: attachment; filename*1={rest}; filename*0={first}",
    "Content-Disposition: attachment; filename*0*=utf-8''{percent}",
    'Content-Disposition: attachment; filename*0="{first}"; filename*1*={percentrest}',
    'Content-Disposition: attachment; filename="=?utf-8?b?{base64}?="',
    "Content-Disposition: attachment; filename==?utf-8?q?{quoted}?=",
    'Content-Disposition: =?utf-8?q?attachment;_filename="{quoted}"?=',
    'Content-Disposition: attachment; filename="{name} "',
    'Content-Disposition: attachment; filename="{name}."',
    'Content-Disposition: attachment; filename="{name}\0.txt"',
    'Content-Disposition: attachment; filename="x.txt\0{name}"',
    'Content-Disposition: attachment; filename="C:\\x\\{name}"',
    'Content-Disposition: attachment; filename="../../{name}"',
    'Content-Disposition: attachment; filename="{name}',
    "Content-Disposition: attachment; filename='{name}'",
    "Content-Disposition: attachment; filename={name}; filename=a.txt",
    "Content-Disposition: attachment; filename=a.txt; filename={name}",
    "Content-Disposition: attachment; filename=a.txt\r\nContent-Disposition: attachment; filename={name}",
    "Content-Disposition: attachment; filename=a.txt\r\nContent-Type: x/y; name={name}",
    "Content-Type: application/octet-stream; name={name}",
    'Content-Type: application/octet-stream;\r\n\tname*0="{first}";\r\n\tname*1="{rest}"',
    "Content-Type: text/plain; name={name}\r\nContent-Disposition: inline",
    "Content-Disposition: {name}; filename=\r\nContent-Type: x/y; name={name}",
    "Content-Disposition: filename={name}",
    "Content-Disposition: attachment filename={name}",
    "Content-Disposition: attachment, filename={name}",
    "Content-Disposition: attachment; (x) filename (y) = (z) {name}",
    "Content-Disposition: attachment; filename=(x){name}",
    "Content-Disposition: attachment; filename=\r\n {name}",
    'Content-Disposition: attachment; filename="{first}"\r\n "{rest}"',
    'Content-Disposition: attachment; filename="{first}\r\n\t{rest}"',
    "Content-Disposition : attachment; filename={name}",
    "Content-Disposition: attachment; FileName={name}",
    "X: y\rContent-Disposition: attachment; filename={name}",
    "Content-Description: {name}\r\nContent-Type: application/octet-stream",
    "Content-Location: http://x.test/{name}\r\nContent-Type: application/octet-stream",
    'Content-Disposition: attachment; filename="a.pdf                                      .{name}"',
    'Content-Disposition: attachment; filename="\u202e{name}"',
    'Content-Disposition: attachment; filename="{name}\u200b"',
    'Content-Disposition: attachment; filename="{name}\xa0"',
    'Content-Disposition: attachment; filename="{fullwidth}"',
    'Content-Disposition: attachment; filename="{name}:$DATA"',
    'Content-Disposition: attachment; filename="{name}::$DATA"',
    'Content-Disposition: attachment; filename="{long}{name}"',
    "Content-Disposition: attachment; filename*=utf-16''{wide}",
    "Content-Disposition: attachment; filename*=utf-7''{percent}",
    'Content-Disposition: attachment; filename="=?utf-8?q?{quotedfirst}?= =?utf-8?q?{quotedrest}?="',
    'Content-Disposition: attachment; filename="=?utf-8?q?{quoted}"',
    'Content-Disposition: attachment; filename="=?utf-8*en?q?{quoted}?="',
    'Content-Disposition: attachment; filename="=?x-unknown?b?{base64}?="',
    'Content-Disposition: attachment; filename="&#x{hex}"',
    "Content-Disposition: attachment; filename*0*=utf-8''{percentfirst}; filename*1*={percentrest}; filename=a.txt",
    "Content-Disposition: attachment; filename*00={first}; filename*01={rest}",
    "Content-Disposition: attachment; filename*2={rest}; filename*1={first}",
)


def _percent(text: str) -> str:
    return "".join([f"%{byte:02x}" for byte in text.encode()])


def _quoted(text: str) -> str:
    return "".join([f"={byte:02X}" for byte in text.encode()])


def spell(name: str, spelling: str) -> bytes:
    """The fields with the name put in."""
    cut = len(name) - 2
    return spelling.format(
        name=name,
        first=name[:cut],
        rest=name[cut:],
        percent=_percent(name),
        percentfirst=_percent(name[:cut]),
        percentrest=_percent(name[cut:]),
        base64=base64.b64encode(name.encode()).decode(),
        quoted=_quoted(name),
        quotedfirst=_quoted(name[:cut]),
        quotedrest=_quoted(name[cut:]),
        fullwidth="".join([chr(ord(char) + 0xFEE0) if char.isalpha() else char for char in name]),
        long="long-" * 300,
        wide="".join([f"%{ord(char):02x}%00" for char in name]),
        hex=f"{ord(name[0]):x};{name[1:]}",
    ).encode()


@trick("MIME-13")
def spelt_name(item: Attachment, rng: random.Random) -> bytes:
    """Each spelling is this name to one of Outlook, Thunderbird, Apple Mail, Gmail, or to Windows when it is saved."""
    return attached(spell(item.name, rng.choice(SPELLINGS)) + b"\r\n", b"nothing\r\n")
