"""Build a Debian package: `python -m deploy.package.deb [FOLDER]`, default dist/. Needs no network, nor root.

It brings an environment of its own along, /usr/lib/filterd, with the packages that requirements.lock pins: they are
copied from the environment that `make setup` has made of it, every file compared with the digest that its package wrote
down when it was installed. Python itself is Debian's. The package is for the machine and the Python that it is built
with: modules in C are in it.
"""

import base64
import compileall
import gzip
import hashlib
import os
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from deploy.package import closure, dist, tree

HOME: Final = "usr/lib/filterd"
PYTHON: Final = f"python{sys.version_info.major}.{sys.version_info.minor}"
SITE: Final = f"{HOME}/lib/{PYTHON}/site-packages"
MAINTAINER: Final = "filterd <postmaster@localhost>"
# Debian's Python, and libraries that are loaded: libmilter by pymilter, the others by name at run time.
DEPENDS: Final = "adduser, ca-certificates, libarchive13, libmilter1.0.1, libseccomp2"
# Whom to believe in TLS is said once on a machine: this file of a package is the system's, as in Debian's own.
AUTHORITIES: Final = ("certifi/cacert.pem", "/etc/ssl/certs/ca-certificates.crt")
COMPRESSION: Final = ("-Zzstd", "-z6")  # Debian 12 reads it; xz takes many times as long
_SCRIPTS: Final = ("conffiles", "preinst", "postinst", "prerm", "postrm")
_ENTRY: Final = """#!/usr/lib/filterd/bin/python3
import sys

from filterd.cli import main

sys.exit(main())
"""


def build(target: Path, compression: Sequence[str] = COMPRESSION) -> Path:
    """The package, in that folder; `compression` is dpkg-deb's. ClosureError where lock and environment do not fit."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="filterd-deb-") as made:
        root = Path(made) / "root"
        wheel, _, bill = dist.build(Path(made) / "dist")
        _environment(root, wheel)
        _own_files(root, bill)
        _control(root)
        _same_times(root)
        name = f"filterd_{tree.version()}_{_architecture()}.deb"
        argv = ["dpkg-deb", "--root-owner-group", *compression, "--build", str(root), str(target / name)]
        subprocess.run(argv, check=True, env=tree.environment(), stdout=subprocess.DEVNULL, umask=0o022)
    return target / name


def _environment(root: Path, wheel: Path) -> None:
    """Python's own idea of an environment, with the packages of the lock and ours."""
    site = root / SITE
    site.mkdir(parents=True)
    (root / HOME / "bin").mkdir()
    (root / HOME / "bin" / "python3").symlink_to(f"/usr/bin/{PYTHON}")
    (root / HOME / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\n")
    for one in closure.closure().values():
        _copy(one, site)
    _unpack(wheel, root, site)
    entry = root / HOME / "bin" / "filterd"
    entry.write_text(_ENTRY)
    entry.chmod(0o755)
    (root / "usr/bin").mkdir()
    (root / "usr/bin/filterd").symlink_to("../lib/filterd/bin/filterd")
    # Where nobody may write, Python could keep no compiled code, and each command would take seconds to begin.
    compileall.compile_dir(
        site, quiet=2, stripdir=str(root), prependdir="/", workers=1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )  # fmt: skip


def _copy(one: metadata.Distribution, site: Path) -> None:
    """The files of a package as it was installed; what it put elsewhere, its commands, stays behind. ClosureError."""
    base = Path(str(one.locate_file(""))).resolve()
    for file in one.files or ():
        source = Path(str(file.locate())).resolve()
        if not source.is_relative_to(base) or source.suffix == ".pyc" or "tests" in file.parts:
            continue
        target = site / source.relative_to(base)
        target.parent.mkdir(parents=True, exist_ok=True)
        if str(source.relative_to(base)) == AUTHORITIES[0]:
            target.symlink_to(AUTHORITIES[1])
            continue
        data = source.read_bytes()
        if file.hash is not None and file.hash.value != _digest(data, file.hash.mode):
            raise closure.ClosureError(f"{source} is not as it was installed: make clean setup")
        target.write_bytes(data)
        target.chmod(0o644)


def _digest(data: bytes, mode: str) -> str:
    return base64.urlsafe_b64encode(hashlib.new(mode, data).digest()).rstrip(b"=").decode()


def _unpack(wheel: Path, root: Path, site: Path) -> None:
    """Our own; of its data manual pages and completions go where the system looks for them."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            target = site / name
            found = re.fullmatch(r"filterd-[^/]+\.data/data/(share/.+)", name)
            if found:
                inside = found[1]
                target = root / (HOME if inside.startswith(dist.DATA) else "usr") / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
    for page in sorted((root / "usr/share/man").rglob("*.[58]")):
        page.with_name(f"{page.name}.gz").write_bytes(gzip.compress(page.read_bytes(), mtime=tree.epoch()))
        page.unlink()


def _own_files(root: Path, bill: Path) -> None:
    """Units, configuration, AppArmor profile, documents."""
    for unit in sorted([*tree.ROOT.glob("deploy/systemd/*.service"), *tree.ROOT.glob("deploy/systemd/*.timer")]):
        text = unit.read_text().replace("/opt/filterd/.venv/bin/filterd", "/usr/bin/filterd")
        _write(root / "lib/systemd/system" / unit.name, text.replace("/opt/filterd/", "/usr/share/doc/filterd/"))
    _write(root / "etc/filterd/filterd.toml", (tree.ROOT / "deploy/debian/filterd.toml").read_text())
    _write(root / "etc/apparmor.d/filterd", (tree.ROOT / "deploy/apparmor/filterd").read_text())
    documents = root / "usr/share/doc/filterd"
    names = [name for name in tree.files() if name.endswith(".md") or name.startswith(("deploy/", "docs/"))]
    for name in names:
        target = documents / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tree.ROOT / name, target)
    shutil.copyfile(tree.ROOT / "LICENSE", documents / "copyright")
    shutil.copyfile(bill, documents / "sbom.cdx.json")


def _control(root: Path) -> None:
    """What dpkg reads."""
    folder = root / "DEBIAN"
    folder.mkdir()
    minor = sys.version_info.minor
    size = sum([path.stat().st_size for path in root.rglob("*") if path.is_file() and not path.is_symlink()])
    depends = f"python3 (>= 3.{minor}), python3 (<< 3.{minor + 1}), {_libc()}, {DEPENDS}"
    lines = {
        "Package": "filterd",
        "Version": tree.version(),
        "Architecture": _architecture(),
        "Maintainer": MAINTAINER,
        "Installed-Size": str(size // 1024),
        "Depends": depends,
        "Recommends": "postfix | sendmail-bin, unbound | knot-resolver",
        "Suggests": "redis-server, clamav-daemon",
        "Section": "mail",
        "Priority": "optional",
        "Description": "mail filter beside Postfix or Sendmail\n SPF, DKIM, DMARC, block lists, YARA, a quarantine with"
        " review and release.\n Its Python packages are its own, in /usr/lib/filterd.",
    }
    _write(folder / "control", "".join([f"{name}: {value}\n" for name, value in lines.items()]))
    for name in _SCRIPTS:
        source = tree.ROOT / "deploy/debian" / name
        if source.exists():
            shutil.copyfile(source, folder / name)
            (folder / name).chmod(0o644 if name == "conffiles" else 0o755)
    sums = [
        f"{hashlib.md5(path.read_bytes()).hexdigest()}  {path.relative_to(root)}\n"  # noqa: S324  # dpkg's format
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and not path.is_relative_to(folder)
    ]
    _write(folder / "md5sums", "".join(sums))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)


def _same_times(root: Path) -> None:
    when = tree.epoch()
    for path in sorted(root.rglob("*")):
        os.utime(path, (when, when), follow_symlinks=False)
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def _libc() -> str:
    """The oldest C library that has what modules of this environment were built against here."""
    version = os.confstr("CS_GNU_LIBC_VERSION") or "glibc 2.36"
    return f"libc6 (>= {version.rpartition(' ')[2]})"


def _architecture() -> str:
    done = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> None:
    """Build, and say what."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else tree.ROOT / "dist").resolve()
    os.umask(0o022)
    try:
        made = build(target)
    except closure.ClosureError as error:
        sys.exit(f"deb: {error}")
    sys.stderr.write(tree.warning())
    sys.stdout.write(f"{hashlib.sha256(made.read_bytes()).hexdigest()}  {made.name}\n")


if __name__ == "__main__":
    if sysconfig.get_platform().split("-")[0] != "linux":
        sys.exit("deb: expected Linux")
    main()
