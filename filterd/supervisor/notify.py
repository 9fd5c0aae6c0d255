"""Telling systemd how we are (sd_notify protocol): a datagram, nothing where nobody asked."""

import os
import socket


def sd_notify(state: str) -> None:
    """Send a state such as READY=1 to the service manager, if there is one. Failure to reach it changes nothing."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(state.encode(), address)
    except OSError:
        return


def watched() -> bool:
    """Whether the service manager wants to hear WATCHDOG=1 from this process (WatchdogSec=)."""
    pid = os.environ.get("WATCHDOG_PID", "")
    return bool(os.environ.get("WATCHDOG_USEC")) and pid in {"", str(os.getpid())}
