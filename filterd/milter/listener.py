"""libmilter's listening socket and main loop: opened once, served by every front that is forked after.

A process has one libmilter and so one listener: its state is the module's. To end, a front does not tell libmilter to
stop: the threads that wait for the next command of open sessions would end with it (decision 005).
"""

import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final

import milter
import structlog

from filterd.ipc.listening import ListenError, clear_path
from filterd.milter.session import ACTIONS, Session
from filterd.milter.sessions import Sessions
from filterd.pipeline.parts import Parts
from filterd.telemetry.events import Event

_NAME: Final = "filterd"
_log = structlog.get_logger()
_ROOM: Final = 8  # descriptors that must be free before a front that had none accepts again; a session takes three
_BACKLOG: Final = 1024  # sessions waiting to be accepted; a burst of connections must not see ECONNREFUSED


def open_listener(listen: str, mode: int, group: int = -1, inherited: Sequence[int] = ()) -> None:
    """Bind and listen on `unix:PATH` or `inet:PORT@HOST` before any front is forked; `mode` and `group` are the path's.

    A unix socket is bound under another name and renamed: libmilter of an exiting front unlinks the name it knows,
    which must not be the one the MTA uses. The descriptor is made non-blocking, or a front that loses the race for a
    connection would sit in accept() and not hear SIGTERM.

    `inherited` are the descriptors of the program that ran in this process before: they are listened on already, and
    libmilter, which takes none that is open, is given them under the number of another that it opens.
    """
    before = _sockets()
    path = Path(listen.removeprefix("unix:")) if listen.startswith("unix:") else None
    made, bound = None, _PORTLESS[listen.partition(":")[0]] if inherited and path is None else listen
    if path is not None:
        made = _first_name(path)
        for one in [made] if inherited else [path, made]:
            clear_path(one)
        bound = f"unix:{made}"
    milter.set_flags(ACTIONS)
    milter.set_exception_policy(milter.TEMPFAIL)
    milter.setconn(bound)
    milter.setbacklog(_BACKLOG)
    milter.register(_NAME, negotiate=_not_yet)
    old = os.umask(0o777 & ~mode)
    try:
        milter.opensocket(True)
    except milter.error as error:
        raise ListenError(f"cannot listen on {listen}: {error}") from None
    finally:
        os.umask(old)
    _listening.update(_sockets() - before)
    for descriptor, known in zip(_listening, inherited, strict=False):
        os.dup2(known, descriptor, inheritable=False)
        os.close(known)
    for descriptor in _listening:
        os.set_blocking(descriptor, False)
    _deaf.append(_deaf_socket())
    if path is not None and made is not None and inherited:
        made.unlink()
        _paths.append(path)
    elif path is not None and made is not None:
        if group >= 0:
            try:
                os.chown(made, -1, group)
            except OSError as error:
                made.unlink()
                raise ListenError(f"cannot give unix:{path} to group {group}: {error.strerror}") from None
        made.rename(path)
        _paths.append(path)


def listening() -> tuple[int, ...]:
    """The descriptors that are listened on, for a program that takes this one's place."""
    return tuple(_listening)


def stop_listening() -> None:
    """In a front: accept no more sessions. Those that are open go on, and libmilter knows nothing of it."""
    for descriptor in _listening:
        os.dup2(_deaf[0].fileno(), descriptor, inheritable=False)
    for kept in _kept.values():
        os.close(kept)
    _kept.clear()


def heed_descriptors() -> None:
    """In a front, every second: where no descriptor is left, accept nobody until some are free again.

    Libmilter would try again at once, and take a core for it. Connections wait meanwhile, or other fronts take them.
    """
    accepting = not _aside
    if not _kept or accepting == _free(1 if accepting else _ROOM):
        return
    for descriptor, kept in _kept.items():
        os.dup2(_deaf[0].fileno() if accepting else kept, descriptor, inheritable=False)
    if accepting:
        _aside.update(_kept)
    else:
        _aside.clear()


def _free(number: int) -> bool:
    """Whether this process may open so many more."""
    taken = []
    try:
        for _ in range(number):
            taken.append(os.dup(_deaf[0].fileno()))  # noqa: PERF401  # those before a failure must be closed
    except OSError:
        return False
    finally:
        for descriptor in taken:
            os.close(descriptor)
    return True


def close_listener() -> None:
    """In the process that opened it: once its fronts have stopped listening too, MTAs are refused at once."""
    for descriptor in _listening:
        os.close(descriptor)
    _listening.clear()
    for path in _paths:
        path.unlink(missing_ok=True)
    _paths.clear()


def serve(parts: Parts, sessions: Sessions) -> None:
    """Answer the MTA in this process; called in a forked front. Returns where libmilter was stopped by SIGTERM."""

    def call(method: Callable[..., int]) -> Callable[..., int]:
        return lambda context, *args: method(context.getpriv() or attach(context), *args)

    def attach(context: Any) -> Session:
        session = Session(context, parts, sessions)
        context.setpriv(session)
        return session

    def negotiate(context: Any, offered: list[int]) -> int:
        return attach(context).negotiate(offered)

    def connect(context: Any, name: str, family: int, address: Any) -> int:
        return (context.getpriv() or attach(context)).connect(name, family, address)

    def header(context: Any, name: str, value: bytes) -> int:
        return (context.getpriv() or attach(context)).header(name, value)

    def close(context: Any) -> int:
        session = context.getpriv()
        context.setpriv(None)
        return int(milter.CONTINUE) if session is None else session.close()

    milter.set_connect_callback(connect)
    milter.set_helo_callback(call(Session.hello))
    milter.set_envfrom_callback(call(Session.envelope_from))
    milter.set_envrcpt_callback(call(Session.envelope_recipient))
    milter.set_header_callback(header)
    milter.set_eoh_callback(call(Session.end_of_headers))
    milter.set_body_callback(call(Session.body))
    milter.set_eom_callback(call(Session.end_of_message))
    milter.set_abort_callback(call(Session.abort))
    milter.set_close_callback(close)
    milter.register(_NAME, negotiate=negotiate)
    _kept.update({descriptor: os.dup(descriptor) for descriptor in _listening})
    sys.excepthook = _log_exception  # where pymilter reports what it could not hand to a callback
    milter.main()


def _log_exception(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log.error(Event.CALLBACK_CRASHED, callback="pymilter", exc_info=(kind, error, trace))


def _deaf_socket() -> socket.socket:
    """A listening socket that nobody can connect to, for it has no name any more."""
    with TemporaryDirectory(prefix="filterd-") as folder:
        deaf = socket.socket(socket.AF_UNIX)
        deaf.setblocking(False)
        deaf.bind(f"{folder}/deaf")
        deaf.listen()
    return deaf


# What to bind where the address itself is bound already: of the same family, on a port that nobody knows.
_PORTLESS: Final = {"inet": "inet:0@127.0.0.1", "inet6": "inet6:0@::1"}
_listening: Final = set[int]()
_kept: Final = dict[int, int]()  # in a front: another descriptor for each, to come back to
_aside: Final = dict[int, int]()  # those of them that are not accepted on at the moment
_deaf: Final = list[socket.socket]()
_paths: Final = list[Path]()


def _not_yet(_context: Any, _offered: list[int]) -> int:
    return int(milter.REJECT)


def _sockets() -> set[int]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if str(entry.readlink()).startswith("socket:"):
                found.add(int(entry.name))
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return found


def _first_name(path: Path) -> Path:
    """What the socket is called before its rename: no longer than its name, for paths of sockets are short."""
    return path.with_name(path.name[:-1] + ("+" if path.name.endswith("~") else "~"))
