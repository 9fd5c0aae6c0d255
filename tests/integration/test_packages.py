"""The packages as somebody gets them: built here without a network, installed where this checkout is not.

The Debian package is installed under a layer over this machine. With FILTERD_FRESH_ROOT=FOLDER it is an empty Debian
that debootstrap has made there, and apt fetches what the package says it depends on, and Postfix.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.package import deb, dist, tree
from tests.support.process import refuse

pytestmark = pytest.mark.timeout(900)  # a package of 240 MB, on a host that others use too

MESSAGE = "From: a@example.org\nSubject: hello\n\nhello\n"
RULES = sorted([str(path.relative_to(tree.ROOT)) for path in (tree.ROOT / "rules").rglob("*") if path.is_file()])


@dataclass(frozen=True)
class Built:
    """What was made."""

    wheel: Path
    archive: Path
    bill: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Built once."""
    return Built(*dist.build(tmp_path_factory.mktemp("dist")))


def test_twice_the_same(built: Built, tmp_path: Path) -> None:
    """The same tree gives the same bytes, under another umask and in another folder."""
    before = os.umask(0o077)
    try:
        again = Built(*dist.build(tmp_path / "elsewhere"))
    finally:
        os.umask(before)
    for first, second in zip(vars(built).values(), vars(again).values(), strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_contents(built: Built) -> None:
    """Wheel and archive have the rules, all of them, and the manual; neither has a test or what a build left behind."""
    with zipfile.ZipFile(built.wheel) as wheel:
        names = wheel.namelist()
    data = f"filterd-{tree.version()}.data/data/share/"
    assert sorted([name.removeprefix(f"{data}filterd/") for name in names if "/share/filterd/rules/" in name]) == RULES
    assert {f"{data}man/man8/filterd.8", f"{data}man/man5/filterd.toml.5"} <= set(names)
    assert {name.split("/")[0] for name in names} == {
        "filterd", f"filterd-{tree.version()}.data", f"filterd-{tree.version()}.dist-info"
    }  # fmt: skip
    with tarfile.open(built.archive) as archive:
        inside = [name.partition("/")[2] for name in archive.getnames()]
    assert set(RULES) | {"requirements.lock", "pyproject.toml", "docs/backup.md", "deploy/setup.sh"} <= set(inside)
    assert not [name for name in inside if "__pycache__" in name or name.startswith("tests")]


def test_a_fresh_environment(built: Built, tmp_path: Path) -> None:
    """Installed into one, it says its version, finds its rules, and reads a message, wherever it is called."""
    home = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", str(home))
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(built.wheel))
    # What it depends on is that of this environment; a path in a .pth file brings no editable install along.
    (site,) = home.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    command = str(home / "bin" / "filterd")
    found = json.loads(run(command, "version", "--json", cwd=tmp_path))
    assert found["filterd"] == tree.version()
    place = run(str(python), "-c", "import filterd; print(filterd.__file__)", cwd=tmp_path).strip()
    assert Path(place).is_relative_to(home)
    assert run(command, "config", "check", cwd=tmp_path) == "ok\n"
    assert "EICAR" in run(command, "rules", "list", cwd=tmp_path)
    (tmp_path / "hello.eml").write_text(MESSAGE)
    scanned = json.loads(run(command, "scan", "--json", "hello.eml", cwd=tmp_path))
    assert {one["name"] for one in scanned["symbols"]} >= {"MISSING_DATE", "DKIM_NONE"}
    assert (home / "share" / "man" / "man8" / "filterd.8").exists()


def run(*argv: str, cwd: Path | None = None) -> str:
    """Run it, with no path of this checkout; what it prints."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package, not compressed."""
    if shutil.which("dpkg-deb") is None:
        refuse("dpkg-deb is not installed: this is no Debian")
    return deb.build(tmp_path_factory.mktemp("deb"), ("-Znone",))


def test_the_package_describes_itself(package: Path) -> None:
    """The unit starts what is in it, its configuration is a conffile, its scripts are shell, its owner is root."""
    listed = run("dpkg-deb", "-c", str(package)).splitlines()
    names = {line.split()[5].removeprefix("."): line for line in listed}
    assert {line.split()[1] for line in listed} == {"root/root"}
    assert "/usr/bin/filterd" in names
    home = f"/{deb.HOME}/{dist.DATA}"
    assert {f"{home}/{name}" for name in RULES} <= names.keys()
    assert "/usr/share/man/man8/filterd.8.gz" in names
    assert not [name for name in names if "/pytest/" in name or "/mypy/" in name or "__editable__" in name]
    folder = package.parent / "control"
    run("dpkg-deb", "-e", str(package), str(folder))
    conffiles = (folder / "conffiles").read_text().split()
    assert conffiles == ["/etc/filterd/filterd.toml", "/etc/apparmor.d/filterd"]
    assert set(conffiles) <= names.keys()
    for script in ("postinst", "prerm", "postrm"):
        run("sh", "-n", str(folder / script))
    control = (folder / "control").read_text()
    assert f"python3 (<< 3.{sys.version_info.minor + 1})" in control
    shipped = {path.name for path in (tree.ROOT / "deploy" / "systemd").glob("*.[st]*[er]")}
    units = [name for name in names if name.startswith("/lib/systemd/system/") and not name.endswith("/")]
    assert {Path(name).name for name in units} == shipped
    text = run("sh", "-c", f"dpkg-deb --fsys-tarfile {package} | tar -xO {' '.join([f'.{name}' for name in units])}")
    commands = re.findall(r"^Exec\w+=(\S+)", text, re.MULTILINE)
    assert commands
    assert set(commands) <= names.keys()
    documents = re.findall(r"^Documentation=file://(\S+)", text, re.MULTILINE)
    assert set(documents) <= names.keys()
    assert "/opt/" not in text


INSTALL = """
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
as() { su -s /bin/sh filterd -c "cd /var/lib/filterd; $1"; }
say() { echo "== $1"; }
test -e /usr/bin/filterd || dpkg -i /packages/first.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
say modes; stat -c '%U %G %a %n' /var/lib/filterd /etc/filterd/filterd.toml
say version; as 'filterd version --json'
say check; as 'filterd config check'
say scan; as 'filterd scan --json /packages/hello.eml'
cp /packages/filterd.toml /etc/filterd/filterd.toml; chown root:filterd /etc/filterd/filterd.toml
cp /packages/main.cf /packages/master.cf /etc/postfix/
usermod -aG postfix filterd; install -d -o filterd -g filterd -m 0755 /run/filterd
ip link set lo up; ip addr add 192.0.2.7/32 dev lo
as 'exec filterd run --config /etc/filterd/filterd.toml' >/tmp/run.log 2>&1 &
for try in $(seq 600); do as 'filterd status --json' >/tmp/status 2>&1 && break; sleep 0.2; done
say status; cat /tmp/status
postfix start >/tmp/postfix.log 2>&1 || { cat /tmp/postfix.log; exit 1; }
python3 /packages/send.py
say mail; postcat -qh "$(postqueue -j | sed -n 's/.*"queue_id": *"\\([^"]*\\)".*/\\1/p' | head -1)"
say log; cat /tmp/run.log
postfix stop >/dev/null 2>&1
pid=$(python3 -c 'import json; print(json.load(open("/tmp/status"))["pid"])')
kill "$pid"; while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
echo '# mine' >>/etc/filterd/filterd.toml
as 'filterd list block add ip:192.0.2.0/24 --reason kept' >/dev/null
dpkg -i /packages/second.deb >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
say upgraded; dpkg-query -W -f '${Version}\\n' filterd; tail -1 /etc/filterd/filterd.toml; as 'filterd list show --json'
dpkg -r filterd >/dev/null 2>&1
say removed; test -e /usr/bin/filterd || echo gone; ls /etc/filterd; test -e /var/lib/filterd/state.sqlite && echo kept
mkdir -p /var/lib/filterd/quarantine; touch /var/lib/filterd/quarantine/ledger.sqlite
dpkg -P filterd >/dev/null 2>&1
say purged; ls /var/lib/filterd; test -e /etc/filterd || echo gone
"""
BEGIN = """
set -e
if test -n "$1"; then
    export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
    printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d
    echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    for try in update 'install /packages/first.deb' 'install postfix iproute2'; do
        apt-get -q -y --no-install-recommends $try >/tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }
    done
fi
exec unshare --net /bin/sh /packages/install.sh
"""
SEND = """
import smtplib
import time

for _ in range(200):
    try:
        with smtplib.SMTP("127.0.0.1", 25, "client.test", source_address=("192.0.2.7", 0)) as client:
            client.sendmail("a@sender.test", ["b@example.org"], open("/packages/hello.eml").read())
        break
    except OSError:
        time.sleep(0.1)
else:
    raise SystemExit("Postfix does not answer")
"""
CHROOT = """
set -e
mount -t tmpfs none "$1"; mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay none -o "lowerdir=${4:-/},upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc none "$1/root/proc"; mount --bind /dev "$1/root/dev"; mount -t tmpfs none "$1/root/run"
mount -t tmpfs none "$1/root/tmp"; mkdir "$1/root/packages"; mount --bind "$2" "$1/root/packages"
if test -d "$1/root$3"; then mount -t tmpfs none "$1/root$3"; fi
if test -n "$4"; then cp /etc/resolv.conf "$1/root/etc/resolv.conf"; fi
exec chroot "$1/root" /bin/sh /packages/begin.sh "$4"
"""


def written(name: str) -> str:
    """That file as docs/postfix.md has it, to be copied."""
    text = (tree.ROOT / "docs" / "postfix.md").read_text()
    found = re.search(rf"^## {re.escape(name)}\n.*?^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def installed(package: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a machine says where it is installed, upgraded, removed, purged: this one, under a layer that goes again."""
    folder = tmp_path_factory.mktemp("packages")
    folder.chmod(0o755)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    shutil.copyfile(package, folder / "first.deb")
    raw = folder / "raw"
    run("dpkg-deb", "-R", str(package), str(raw))
    control = raw / "DEBIAN" / "control"
    control.write_text(re.sub(r"^Version: .*", "Version: 99.0", control.read_text(), flags=re.MULTILINE))
    run("dpkg-deb", "--root-owner-group", "-Znone", "--build", str(raw), str(folder / "second.deb"))
    shutil.rmtree(raw)
    (folder / "hello.eml").write_text(MESSAGE)
    (folder / "begin.sh").write_text(BEGIN)
    (folder / "install.sh").write_text(INSTALL)
    (folder / "send.py").write_text(SEND)
    for name in ("filterd.toml", "main.cf", "master.cf"):
        (folder / name).write_text(written(name))
    layer = tmp_path_factory.mktemp("layer")
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", CHROOT, "sh", str(layer), str(folder)]
    argv += [str(tree.ROOT), os.environ.get("FILTERD_FRESH_ROOT", "")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode and "== modes" not in done.stdout and re.search(r"unshare|mount|permitted", done.stderr):
        refuse(f"no namespaces and layers of file systems to be had here: {done.stderr.strip()[:200]}")
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(re.findall(r"^== (\w+)\n((?:(?!== ).*\n)*)", done.stdout, re.MULTILINE))


def test_installed(installed: dict[str, str]) -> None:
    """A user of its own, private folders, and commands that work for him with Debian's own Python."""
    assert installed["modes"].splitlines() == [
        "filterd filterd 711 /var/lib/filterd",
        "root filterd 640 /etc/filterd/filterd.toml",
    ]
    assert json.loads(installed["version"])["filterd"] == tree.version()
    assert installed["check"] == "ok\n"
    assert json.loads(installed["scan"])["action"] == "accept"


def test_the_daemon_starts(installed: dict[str, str]) -> None:
    """With the configuration that the package brings, as the package's user."""
    assert json.loads(installed["status"])["version"] == tree.version()


def test_the_first_message(installed: dict[str, str]) -> None:
    """Postfix as docs/postfix.md has it, copied: what a stranger sends is filtered and queued with our fields."""
    assert re.search(r"^X-Filterd-Id: ", installed["mail"], re.MULTILINE | re.IGNORECASE)
    assert re.search(r"^Authentication-Results: ", installed["mail"], re.MULTILINE)
    events = [json.loads(line) for line in installed["log"].splitlines()]
    (event,) = [one for one in events if one["event"] == "message"]
    assert (event["recipients"], event["client"]) == (["b@example.org"], "192.0.2.7")


def test_upgraded(installed: dict[str, str]) -> None:
    """What the operator has written stays, and so does the state."""
    version, last, entry = installed["upgraded"].splitlines()
    assert (version, last) == ("99.0", "# mine")
    assert json.loads(entry)["entry"] == "ip:192.0.2.0/24"


def test_removed_and_purged(installed: dict[str, str]) -> None:
    """A removal keeps configuration and state, a purge keeps held mail: it is somebody's, and nobody else has it."""
    assert installed["removed"].splitlines() == ["gone", "filterd.toml", "kept"]
    assert installed["purged"].splitlines() == ["quarantine", "gone"]
