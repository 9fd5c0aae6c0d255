"""Print the part of requirements.lock that a running filterd needs: `python -m deploy.package.runtime`."""

import sys

from deploy.package import closure


def lines() -> list[str]:
    """Pins with all their hashes, as pip reads them. ClosureError."""
    locked = closure.pins()
    found = []
    for name in closure.closure():
        version, hashes = locked[name]
        found.append(" \\\n".join([f"{name}=={version}", *[f"    --hash=sha256:{digest}" for digest in hashes]]))
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines()) + "\n")
