"""What is in a release, as CycloneDX 1.5: each package with version, licence, and what needs it.

The digests are those of the lock: of the files that may be installed, one of which was.
"""

import uuid
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.package import closure

SPACE: Final = uuid.UUID("4d1b9f6e-2f0b-5a57-9f0e-6a1d6a3a7c11")  # of our serial numbers
MAX_LICENCE: Final = 64  # characters; a longer text is no name of a licence


def bill(version: str, when: int) -> dict[str, Any]:
    """The document; the same for the same lock, version and time. ClosureError."""
    needed = closure.closure()
    locked = closure.pins()
    root = f"pkg:pypi/filterd@{version}"
    refs = {name: _ref(name, one.version) for name, one in needed.items()}
    serial = uuid.uuid5(SPACE, "\n".join([root, *refs.values()]))
    direct = _direct(closure.declared(), refs)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "filterd",
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "GPL-3.0-or-later"}}],
            },
        },
        "components": [_component(name, one, locked[name][1]) for name, one in needed.items()],
        "dependencies": [
            {"ref": root, "dependsOn": direct},
            *[{"ref": refs[name], "dependsOn": _direct(one.requires or [], refs)} for name, one in needed.items()],
        ],
    }


def _ref(name: str, version: str) -> str:
    return f"pkg:pypi/{name}@{version}"


def _component(name: str, one: metadata.Distribution, hashes: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": _ref(name, one.version),
        "name": name,
        "version": one.version,
        "purl": _ref(name, one.version),
        "properties": [{"name": "filterd:lock:sha256", "value": digest} for digest in hashes],
    }
    if licence := _licence(one):
        found["licenses"] = [licence]
    return found


def _licence(one: metadata.Distribution) -> dict[str, Any] | None:
    """As the package itself says it: an expression, or a name."""
    if "License-Expression" in one.metadata:
        return {"expression": one.metadata["License-Expression"]}
    text = one.metadata["License"].strip() if "License" in one.metadata else ""
    named = [
        value.rpartition("::")[2].strip() for value in one.metadata.get_all("Classifier") or [] if "License ::" in value
    ]
    name = text if text and len(text) <= MAX_LICENCE and "\n" not in text else next(iter(named), "")
    return {"license": {"name": name}} if name else None


def _direct(requires: list[str], refs: dict[str, str]) -> list[str]:
    names = {str(canonicalize_name(Requirement(text).name)) for text in requires}
    return sorted([refs[name] for name in names if name in refs])
