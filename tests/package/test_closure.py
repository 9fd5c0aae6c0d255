"""What is pinned, what is needed, and what the SBOM says of it."""

import json
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from deploy.package import checked, closure, sbom

ROOT = Path(__file__).resolve().parents[2]
DEVELOPMENT = {"pytest", "mypy", "ruff", "hypothesis", "moto", "pip-tools", "matplotlib"}


@pytest.mark.threat("OPS-08")
def test_every_pin_has_hashes() -> None:
    """Nothing can be installed by its number alone."""
    pins = closure.pins()
    assert len(pins) == len(re.findall(r"^[\w.-]+==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    assert [name for name, (_, hashes) in pins.items() if not hashes] == []


@pytest.mark.threat("OPS-08")
def test_what_is_shipped_is_pinned() -> None:
    """All that filterd needs, directly or not, is in the lock in the version that is installed; no tool is among it."""
    needed = closure.closure()
    assert {str(canonicalize_name(Requirement(text).name)) for text in closure.declared()} <= needed.keys()
    assert not DEVELOPMENT & needed.keys()
    assert {name: one.version for name, one in needed.items()} == {name: closure.pins()[name][0] for name in needed}


@pytest.mark.threat("OPS-08")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((r"^msgspec==", "other=="), "msgspec is needed and not in requirements.lock"),
        ((r"^(msgspec==)\S+", r"\g<1>0.0.1"), "pinned 0.0.1: make setup"),
        ((r"^(msgspec==\S+) \\\n(?:    --hash=\S+(?: \\)?\n)+", r"\g<1>\n"), "msgspec has no hash"),
    ],
)
def test_a_lock_that_does_not_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], expected: str
) -> None:
    """A new dependency that nobody pinned, another version, a pin without a hash: nothing is built."""
    lock = re.sub(*change, (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    (tmp_path / "requirements.lock").write_text(lock)
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    monkeypatch.setattr(closure, "ROOT", tmp_path)
    with pytest.raises(closure.ClosureError, match=re.escape(expected)):
        closure.closure()


@pytest.mark.threat("OPS-08")
def test_the_bill_names_what_is_shipped() -> None:
    """Each package with its version and the lock's digests; what depends on what refers to what is there; no dates."""
    bill = sbom.bill("1.2.3", 0)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    named = {one["name"]: one["version"] for one in bill["components"]}
    assert named == {name: one.version for name, one in closure.closure().items()}
    for one in bill["components"]:
        digests = [entry["value"] for entry in one["properties"]]
        assert (one["purl"], tuple(digests)) == (
            f"pkg:pypi/{one['name']}@{one['version']}",
            closure.pins()[one["name"]][1],
        )
    refs = {one["bom-ref"] for one in bill["components"]} | {"pkg:pypi/filterd@1.2.3"}
    assert {one["ref"] for one in bill["dependencies"]} == refs
    assert {ref for one in bill["dependencies"] for ref in one["dependsOn"]} == refs - {"pkg:pypi/filterd@1.2.3"}
    assert json.dumps(sbom.bill("1.2.3", 0)) == json.dumps(bill)


@pytest.mark.docs
@pytest.mark.threat("OPS-08")
def test_an_installed_filterd_knows_what_was_checked() -> None:
    """The list that the daemon compares packages with is the lock's: `python -m deploy.package.checked`."""
    assert checked.FILE.read_text(encoding="utf-8") == checked.text()
