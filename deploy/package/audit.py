"""Known holes in what the lock pins: `python -m deploy.package.audit`, a part of `make check`. Asks PyPI (pip-audit).

A known hole fails, and is named with the release that mends it. A check that needs a network must not stop who has
none: where nobody could be asked, or PyPI knew none of the packages, one line says that nothing was audited. What
cannot be mended today is accepted in accepted.toml, by its id and with a reason that is printed each time.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from deploy.package.tree import ROOT

LOCK: Final = ROOT / "requirements.lock"
ACCEPTED: Final = Path(__file__).with_name("accepted.toml")
ANSWER_SECONDS: Final = 3  # for one answer of PyPI
WITHIN: Final = 20.0  # seconds for all of them: two hundred answers are here in ten
SHOWN: Final = 5  # packages that are named where some were not found
# How pip-audit ends where nobody answers, or not as PyPI does. Otherwise the lock cannot be read: that is our bug.
_UNREACHABLE: Final = re.compile(
    r"^(requests\.exceptions\.\w+|urllib3\.exceptions\.\w+|pip_audit\.\S*(?:ServiceError|ConnectionError))\b"
    r"|Could not connect to PyPI|PyPI is not redirecting",
    re.MULTILINE,
)


class Outcome(NamedTuple):
    """Whether the check fails, and what it says."""

    failed: bool
    lines: tuple[str, ...]


def judged(report: Mapping[str, Any], accepted: Mapping[str, str]) -> Outcome:
    """What a report of pip-audit comes to."""
    found, excused, unknown, known = [], [], [], 0
    for one in report["dependencies"]:
        if "skip_reason" in one:
            unknown.append(str(one["name"]))
            continue
        known += 1
        for hole in one["vulns"]:
            names = [hole["id"], *hole["aliases"]]
            what = f"{one['name']} {one['version']}: {', '.join(names)}"
            reason = next((accepted[name] for name in names if name in accepted), None)
            if reason is None:
                found.append(f"{what}; mended in {', '.join(hole['fix_versions']) or 'no release yet'}")
            else:
                excused.append(f"{what}; accepted: {reason}")
    if found:
        return Outcome(True, (f"known holes in what requirements.lock pins: {len(found)}", *found, *excused))
    if not known:
        return Outcome(False, (f"not audited: PyPI's answers know none of the {len(unknown)} packages",))
    lines = [f"audited: no known holes in {known} packages", *excused]
    if unknown:
        rest = f" and {len(unknown) - SHOWN} more" if len(unknown) > SHOWN else ""
        lines.append(f"not audited, for PyPI does not know them: {', '.join(unknown[:SHOWN])}{rest}")
    return Outcome(False, tuple(lines))


def audit(lock: Path = LOCK, accepted: Path = ACCEPTED, more: Sequence[str] = (), within: float = WITHIN) -> Outcome:
    """Ask of all packages of a lock; `more` goes to pip-audit."""
    argv = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--requirement", str(lock)]
    argv += ["--format", "json", "--progress-spinner", "off", "--timeout", str(ANSWER_SECONDS), *more]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        return Outcome(False, (f"not audited: PyPI has not answered within {within:.0f} s",))
    try:
        report = json.loads(done.stdout)
    except ValueError:
        said = done.stderr.strip().splitlines()
        if found := list(_UNREACHABLE.finditer(done.stderr)):
            return Outcome(False, (f"not audited: PyPI cannot be asked ({found[-1][0]})",))
        return Outcome(True, (f"pip-audit failed: {said[-1] if said else f'exit code {done.returncode}'}",))
    return judged(report, {name: str(reason) for name, reason in tomllib.loads(accepted.read_text()).items()})


def main() -> None:
    """Say it; exit code 1 where something must be done."""
    outcome = audit()
    sys.stdout.write("".join([f"{line}\n" for line in outcome.lines]))
    raise SystemExit(int(outcome.failed))


if __name__ == "__main__":
    main()
