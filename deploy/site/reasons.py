# noqa: INP001  # a script of this checkout, in no package
"""Every reason that a verdict can have."""

from typing import Final

from deploy.site.words import code, plain, table
from filterd.checks.registry import ALL
from filterd.config.results import RESULTS
from filterd.pipeline.reasons import Reason

_HEAD: Final = """\
Each verdict has one machine reason: in the log (`code`), the journal, `--json`, `filterd quarantine list --reason`, and
in the classes of held mail (`[quarantine.classes.NAME]`, where `*` at the end stands for anything).
"""
_OTHERS: Final = """\
| reason | what it means |
| --- | --- |
| a symbol in small letters, with hyphens: `unscannable-encrypted`, `dmarc-reject`, `yara-eicar` | its floor asks for \
that action at least: [symbols](symbols.md) |
| `CHECK-unknown` | the check could not be made, and `[actions.on_unknown]` says what then: {checks} |
| `CHECK-RESULT` | `[actions.on_result]` asks for that action: {results} |
"""


def markdown() -> str:
    """The page behind its title."""
    rows = [(code(str(one)), plain(one.meaning)) for one in Reason]
    checks = ", ".join([code(name) for name in ALL])
    results = "; ".join([f"{code(check)} with {', '.join(map(code, words))}" for check, words in RESULTS.items()])
    others = _OTHERS.format(checks=checks, results=results)
    return f"{_HEAD}\n{table(('reason', 'what it means'), rows)}\nAnd these:\n\n{others}"
