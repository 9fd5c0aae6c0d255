"""Build wheel, source archive and SBOM: `python -m deploy.package.dist [FOLDER]`, default dist/. Needs no network.

Twice the same tree gives twice the same bytes. Beside the package the wheel holds the rules, the manual pages and the
completion scripts, as data of the prefix: share/filterd/rules is where filterd looks for what is shipped.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

from deploy.package import sbom, tree

DATA: Final = "share/filterd"
_SHARE: Final = "package-data"  # of the source archive: what is made before the build


def build(target: Path) -> list[Path]:
    """Build everything into that folder; what was made."""
    target.mkdir(parents=True, exist_ok=True)
    name, when = f"filterd-{tree.version()}", tree.epoch()
    with tempfile.TemporaryDirectory(prefix="filterd-dist-") as made:
        source = Path(made) / "source"
        tree.copy_to(source)
        _man_pages(source / _SHARE)
        _declare(source)
        output = Path(made) / "out"
        argv = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(output), str(source)]
        subprocess.run(argv, check=True, env=tree.environment(), stdout=subprocess.DEVNULL, umask=0o022)
        archive = target / f"{name}.tar.gz"
        archive.write_bytes(repacked((output / archive.name).read_bytes(), when))
        (wheel,) = output.glob("*.whl")
        (target / wheel.name).write_bytes(wheel.read_bytes())
    bill = target / f"{name}.cdx.json"
    bill.write_text(json.dumps(sbom.bill(tree.version(), when), indent=1) + "\n")
    return [target / wheel.name, archive, bill]


def _man_pages(folder: Path) -> None:
    argv = [sys.executable, "-m", "filterd.cli.manual", str(folder)]
    subprocess.run(argv, check=True, cwd=tree.ROOT, env=tree.environment(), stdout=subprocess.DEVNULL, umask=0o022)


def _declare(source: Path) -> None:
    """Name all data by folder, as setuptools wants it: it takes no whole trees."""
    places: dict[str, list[str]] = {}
    for path in sorted((source / "rules").rglob("*")):
        if path.is_file():
            places.setdefault(f"{DATA}/{path.parent.relative_to(source)}", []).append(str(path.relative_to(source)))
    for path in sorted((source / _SHARE).rglob("*")):
        if path.is_file():
            inside = path.parent.relative_to(source / _SHARE)
            place = str(inside) if inside.parts[0] == "share" else f"share/{inside}"
            places.setdefault(place, []).append(str(path.relative_to(source)))
    lines = ["", "[tool.setuptools.data-files]"]
    lines += [f"{json.dumps(place)} = {json.dumps(names)}" for place, names in places.items()]
    with (source / "pyproject.toml").open("a") as file:
        file.write("\n".join(lines) + "\n")
    (source / "MANIFEST.in").write_text(
        "\n".join(
            [f"graft {folder}" for folder in (*tree.FOLDERS, _SHARE)] + [f"include {name}" for name in tree.FILES]
        )
    )


def repacked(archive: bytes, when: int) -> bytes:
    """The same members, in order, with the same owner and time: what tar and gzip write of the day is taken out."""
    plain = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as source,
        tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda one: one.name):
            member.uid = member.gid = 0
            member.uname = member.gname = "root"
            member.mtime, member.pax_headers = when, {}
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            target.addfile(member, source.extractfile(member) if member.isreg() else None)
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=when) as file:
        file.write(plain.getvalue())
    return packed.getvalue()


def main() -> None:
    """Build, and name what was built with its digests."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else tree.ROOT / "dist").resolve()
    os.umask(0o022)
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in build(target)]
    (target / "SHA256SUMS").write_text("".join(lines))
    sys.stderr.write(tree.warning())
    sys.stdout.write("".join(lines))


if __name__ == "__main__":
    main()
