"""Make a state folder for tests of upgrades: `python -m tests.state tests/integration/states/ledger-N.tar.xz`.

Once for each release, when it is the newest: later ones are tried on it (tests/integration/test_earlier_state.py).
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Final

from tests.support.daemon import COMMAND
from tests.support.stack import Stack
from tests.support.world import GOOD, message

ACCEPTED: Final = ("alice@aligned.test", "alice@aligned.test", "Minutes of Monday")
HELD: Final = [("ceo@strict.test", "x@elsewhere.test", f"Invoice {number}") for number in (1, 2, 3)]
LARGE: Final = 7_000  # lines, more than what goes into a segment
WRITTEN: Final = 2.0  # seconds until the journal has its rows


def make(target: Path) -> None:
    """Have the daemon of this checkout make one."""
    with Stack({"milter": {"workers": 1}}) as stack:
        told: dict[str, dict[str, str]] = {}
        mails = [(message(author, subject), sender) for author, sender, subject in (ACCEPTED, *HELD)]
        large = message(HELD[0][0], "Invoice large", "a line of a message that is too large for a segment\r\n" * LARGE)
        for mail, sender in [*mails, (large, HELD[0][1])]:
            outcome = stack.send(mail, GOOD, sender)
            told[outcome.event["id"]] = {
                "action": outcome.action,
                "recipient": outcome.recipients[0],
                "sha256": hashlib.sha256(mail).hexdigest(),
            }
        second = [one for one, what in told.items() if what["action"] == "quarantine"][1]
        (stack.folder / "spam.eml").write_bytes(message("eve@bulk.test", "You have won"))
        (stack.folder / "ham.eml").write_bytes(message("bob@aligned.test", "Minutes"))
        for argv in (
            ["quarantine", "delete", "--yes", second],
            ["learn", "spam", str(stack.folder / "spam.eml")],
            ["learn", "ham", str(stack.folder / "ham.eml")],
            ["list", "block", "add", "ip:192.0.2.99", "--reason", "kept", "--expires", "never"],
        ):
            subprocess.run([*COMMAND, *argv, "--config", str(stack.filterd.config)], check=True)
        time.sleep(WRITTEN)
        stack.filterd.stop()
        state = stack.folder / "state"
        (state / "told.json").write_text(json.dumps(told, indent=1) + "\n")
        with tarfile.open(target, "w:xz", preset=9) as archive:
            archive.add(state, ".", filter=_shared)


def _shared(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Without what is made anew, and of nobody."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return None if member.name.startswith("./cache") else member


if __name__ == "__main__":
    make(Path(sys.argv[1]))
