"""Who gives a command, as the audit has it."""

import os
import pwd

from filterd.cli.common import safe
from filterd.quarantine import Actor


def actor() -> Actor:
    """Who is acting: the account, behind sudo the person's; from the terminal, or the host that ssh names."""
    name = os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    ssh = os.environ.get("SSH_CONNECTION", "").split(" ")[0]
    terminal = os.ttyname(0) if os.isatty(0) else ""
    return Actor(name, f"ssh from {safe(ssh[:100])}" if ssh else terminal or "a script")
