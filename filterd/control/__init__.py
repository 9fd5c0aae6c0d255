"""The running daemon's own socket: who asks, what he may, and one answer to one question.

A connection is one line of JSON each way, bounded in size and time. Who asks is what the kernel says of the other end
(SO_PEERCRED, SO_PEERGROUPS), never what it says of itself; what he may stands in `[control.roles]`. Root and the
daemon's own user may all. Whoever has no role is told so before a byte of his is read, and holds no place meanwhile.

    wire      requests and answers as bytes, pure
    roles     from people to rights, pure
    server    the socket, with a bounded number of connections
    client    what commands ask with

What is asked is answered by the composition root (app/control.py), in a process beside the fronts: the supervisor
forks, and reads no byte of anybody's.
"""

from filterd.control.client import ControlError, NotRunningError, ask
from filterd.control.roles import Grant, Peer, Roles
from filterd.control.server import ControlServer
from filterd.control.wire import Command, Refusal, Request, WireError, decode_request, encode

__all__ = [
    "Command",
    "ControlError",
    "ControlServer",
    "Grant",
    "NotRunningError",
    "Peer",
    "Refusal",
    "Request",
    "Roles",
    "WireError",
    "ask",
    "decode_request",
    "encode",
]
