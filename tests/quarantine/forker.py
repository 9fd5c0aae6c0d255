"""A process that opens a quarantine and forks two that hold a message each; 0 if both have. Run with: PLACE ROOT."""

import json
import os
import sys
from pathlib import Path

from filterd.quarantine.opening import Place, open_quarantine
from tests.quarantine.backends import hold


def main() -> int:
    """Fork, wait."""
    quarantine = open_quarantine(Place(**json.loads(sys.argv[1])), Path(sys.argv[2]))
    quarantine.prepare()
    children = []
    for number in range(2):
        child = os.fork()
        if child == 0:
            hold(quarantine, number, b"%d" % number)
            os._exit(0)
        children.append(child)
    return sum([os.waitpid(child, 0)[1] for child in children])


if __name__ == "__main__":
    sys.exit(main() != 0)
