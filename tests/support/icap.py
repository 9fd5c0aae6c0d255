"""A private c-icap: its echo service, and its virus scanner with a private clamd behind it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from filterd.config.icap import IcapService, parse_service
from filterd.icap import options
from filterd.scanners import ScannerError
from tests.support.clamd import ClamdServer, clamd_server
from tests.support.process import Process, free_port, open_folder, refuse, require_program, wait_until

FOLDER: Final = Path("/usr/lib/x86_64-linux-gnu/c_icap")
WANTED: Final = ("srv_echo.so", "virus_scan.so", "clamd_mod.so")


@dataclass(frozen=True)
class IcapServer:
    """Its port, its process for faults, and the clamd behind it."""

    port: int
    process: Process
    clamd: ClamdServer

    def service(self, name: str) -> IcapService:
        """One of its services: echo, virus_scan (sends back what is clean), avscan (knows 204 always)."""
        return parse_service(self.url(name))

    def url(self, name: str) -> str:
        """The same as `[icap] url`."""
        return f"icap://127.0.0.1:{self.port}/{name}"

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """It hangs meanwhile: all its processes, for it forks."""
        whole = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            wait_until(lambda: {one.status() for one in whole} == {psutil.STATUS_STOPPED}, "all stopped")
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)


@contextmanager
def icap_server() -> Iterator[IcapServer]:
    """A running c-icap, killed at the end."""
    require_program("c-icap")
    modules = _modules()
    with clamd_server() as clamd, open_folder() as folder:
        port = free_port()
        (folder / "c-icap.conf").write_text(
            f"PidFile {folder}/pid\nCommandsSocket {folder}/ctl\nPort 127.0.0.1:{port}\nTmpDir {folder}\n"
            f"ServerLog {folder}/server.log\nAccessLog {folder}/access.log\nModulesDir {modules}\n"
            f"ServicesDir {modules}\nLoadMagicFile /etc/c-icap/c-icap.magic\nTemplateDir /usr/share/c_icap/templates/\n"
            "StartServers 1\nMaxServers 1\nMinSpareThreads 2\nMaxSpareThreads 10\nThreadsPerChild 10\n"
            f"Service echo srv_echo.so\nModule common clamd_mod.so\nclamd_mod.ClamdSocket {clamd.address.path}\n"
            "Service antivirus_module virus_scan.so\n"
            "ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple\n"
            "virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE\n"
            "virus_scan.DefaultEngine clamd\n"
        )
        process = Process(["c-icap", "-N", "-f", str(folder / "c-icap.conf")], folder / "out.log")
        server = IcapServer(port, process, clamd)
        try:
            process.wait_ready(lambda: _answers(server.service("avscan")))
            yield server
        finally:
            process.kill()


def _modules() -> Path:
    found = FOLDER if FOLDER.is_dir() else next(Path("/usr/lib").glob("*/c_icap"), FOLDER)
    if missing := [name for name in WANTED if not (found / name).is_file()]:
        refuse(f"not installed: {', '.join(missing)} of c-icap (make test-setup)")
    return found


def _answers(service: IcapService) -> bool:
    try:
        options(service, "RESPMOD", time.monotonic() + 5)
    except ScannerError:
        return False
    return True
