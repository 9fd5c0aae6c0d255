"""Write filterd/operations/data/packages.toml: `python -m deploy.package.checked`, after the lock has changed.

The versions of all that filterd needs, as the lock pins them: what an installed filterd compares itself with.
"""

import sys
from typing import Final

from deploy.package import closure, tree

FILE: Final = tree.ROOT / "filterd" / "operations" / "data" / "packages.toml"
_HEAD: Final = "# What this release was checked with. Printed by `python -m deploy.package.checked`, not edited.\n"


def text() -> str:
    """The file as it has to be. ClosureError."""
    return _HEAD + "".join([f'{name} = "{one.version}"\n' for name, one in closure.closure().items()])


def main() -> None:
    """Write it."""
    FILE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{FILE}\n")


if __name__ == "__main__":
    main()
