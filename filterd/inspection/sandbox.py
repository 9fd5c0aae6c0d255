"""Lock the calling process in: no network, no files, no exec, no new process, bounded memory and CPU.

Walls, in the order they go up: namespaces, an empty root, other ids, resource limits, no_new_privs, Landlock, seccomp.
Each that the host does not allow is left out and missing from the level that `lock` returns; who demands more refuses
to serve. Nothing can be opened afterwards, so nothing can be imported either: all modules and codecs are loaded before.

Known limits: Landlock does not stop stat(), the empty root does; before ABI 8 it binds the calling thread only, hence
one thread. A process id namespace would act on children alone, and there are none.
"""

import ctypes
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from filterd.ipc.messages import NurserySettings, SandboxLevel

try:
    import pyseccomp
except (ImportError, RuntimeError):  # it says so with the second where libseccomp is not there: one wall less
    pyseccomp = None

_CLONE_NEWNS: Final = 0x00020000
_CLONE_NEWUTS: Final = 0x04000000
_CLONE_NEWIPC: Final = 0x08000000
_CLONE_NEWUSER: Final = 0x10000000
_CLONE_NEWNET: Final = 0x40000000
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
_CAPABILITY_VERSION_3: Final = 0x20080522
_SYS_CAPSET: Final = {"x86_64": 126, "aarch64": 91}
_SYS_LANDLOCK_CREATE_RULESET: Final = 444  # the same on every architecture
_SYS_LANDLOCK_RESTRICT_SELF: Final = 446
_LANDLOCK_CREATE_RULESET_VERSION: Final = 1
# Landlock access rights are bits that came with the ABI versions: 13, then REFER, TRUNCATE, and with 5 IOCTL_DEV.
_LANDLOCK_FILE_BITS: Final = {1: 13, 2: 14, 3: 15, 4: 15}
_LANDLOCK_FILE_BITS_NOW: Final = 16
_LANDLOCK_ABI_NET: Final = 4  # bind and connect of TCP ports
_LANDLOCK_ABI_SCOPES: Final = 6  # abstract unix sockets and signals

OPEN_FILES: Final = 64  # descriptors: the socket, one body, what a library holds for a moment
# Bytes of memory of its own that an inspector may have beyond what was loaded: what it holds of a message by its own
# counting (unpack.budget.MAX_HELD), and what libraries need meanwhile. They take what a file tells them to: 125 bytes
# of RAR a gigabyte. A message beyond it is unscannable; with it an inspector stays under 200 MB.
LEEWAY: Final = 160_000_000
_TOTAL_CPU_MARGIN: Final = 2  # the limit on the whole life is a backstop behind the per-message timer

# What reading a message needs, and the interpreter with it. No open, socket, connect, fork, exec, kill, io_uring.
_ALLOWED: Final = """
    read readv write writev pread64 pwrite64 close close_range fstat newfstatat statx lseek fcntl dup dup2 dup3 pipe2
    poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 memfd_create ftruncate getcwd
    mmap munmap mprotect mremap madvise brk futex set_robust_list membarrier rseq getrandom sysinfo uname getcpu
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time setitimer getitimer getrusage times
    getpid gettid getppid getuid geteuid getgid getegid sched_yield sched_getaffinity exit exit_group
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall
    recvfrom recvmsg sendto sendmsg shutdown getsockopt
"""
_IOCTLS: Final = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS FIONREAD FIONBIO FIONCLEX FIOCLEX
_EPERM: Final = 1

_libc: Final = ctypes.CDLL(None, use_errno=True)


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent`, its parent's pid, ends; ends it now where that has happened.

    The kernel forgets this at every change of ids, so it is called after the last one.
    """
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != parent:
        os._exit(0)


def lock(settings: NurserySettings, parent: int) -> SandboxLevel:
    """Lock this single-threaded process in for good and say which walls stand.

    OSError where something fails that every Linux allows (dropping ids, resource limits, no_new_privs).
    """
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise OSError("a library has started threads: they would stay outside of the walls")
    loaded = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    root = os.geteuid() == 0
    namespaces = settings.walls and _attempt(lambda: _unshare(root=root))
    chroot = settings.walls and bool(settings.empty) and _attempt(lambda: _enter(settings.empty))
    if root:
        os.setgroups([])
        os.setresgid(settings.gid, settings.gid, settings.gid)
        os.setresuid(settings.uid, settings.uid, settings.uid)
    else:
        _attempt(_drop_capabilities)  # those of the new user namespace
    die_with_parent(parent)
    _limit(settings, loaded)
    _checked(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0))
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    landlock = _landlock() if settings.walls else 0
    seccomp = settings.walls and _attempt(_seccomp)
    return SandboxLevel(namespaces=namespaces, chroot=chroot, landlock=landlock, seccomp=seccomp)


def _attempt(step: Callable[[], None]) -> bool:
    try:
        step()
    except OSError:
        return False
    return True


def _unshare(*, root: bool) -> None:
    flags = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS | _CLONE_NEWNS
    _checked(_libc.unshare(flags if root else flags | _CLONE_NEWUSER))


def _enter(empty: str) -> None:
    os.chroot(empty)
    os.chdir("/")


def _drop_capabilities() -> None:
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    none = (ctypes.c_uint32 * 6)()
    number = _SYS_CAPSET.get(os.uname().machine)
    if number is not None:
        _checked(_libc.syscall(number, ctypes.byref(header), ctypes.byref(none)))


def _limit(settings: NurserySettings, loaded: int) -> None:
    life = settings.cpu_seconds * (settings.messages + _TOTAL_CPU_MARGIN)
    for what, most in (
        (resource.RLIMIT_AS, settings.memory),
        (resource.RLIMIT_DATA, loaded + LEEWAY),
        (resource.RLIMIT_CPU, life),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(what, (most, most))


def _landlock() -> int:
    """Refuse every file, port, abstract socket and signal outside; the ABI version, 0 where the kernel has none."""
    abi = int(_libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_CREATE_RULESET_VERSION))
    if abi < 1:
        return 0
    bits = _LANDLOCK_FILE_BITS.get(abi, _LANDLOCK_FILE_BITS_NOW)
    rules = _Ruleset((1 << bits) - 1, 3 if abi >= _LANDLOCK_ABI_NET else 0, 3 if abi >= _LANDLOCK_ABI_SCOPES else 0)
    size = 24 if abi >= _LANDLOCK_ABI_SCOPES else 16 if abi >= _LANDLOCK_ABI_NET else 8
    try:
        fd = _checked(_libc.syscall(_SYS_LANDLOCK_CREATE_RULESET, ctypes.byref(rules), ctypes.c_size_t(size), 0))
        try:
            _checked(_libc.syscall(_SYS_LANDLOCK_RESTRICT_SELF, fd, 0))
        finally:
            os.close(fd)
    except OSError:
        return 0
    return abi


def _seccomp() -> None:
    """Let through what is listed and answer EPERM to the rest, for this architecture only."""
    if pyseccomp is None:
        raise OSError("no libseccomp")
    rules = pyseccomp.SyscallFilter(pyseccomp.ERRNO(_EPERM))
    for name in _ALLOWED.split():
        try:
            rules.add_rule(pyseccomp.ALLOW, name)
        except (OSError, ValueError):
            continue  # a call that this architecture or libseccomp does not know needs no permission
    for request in _IOCTLS:
        rules.add_rule(pyseccomp.ALLOW, "ioctl", pyseccomp.Arg(1, pyseccomp.EQ, request))
    me = os.getpid()
    rules.add_rule(pyseccomp.ALLOW, "tgkill", pyseccomp.Arg(0, pyseccomp.EQ, me))  # abort() of a C library
    rules.add_rule(pyseccomp.ALLOW, "prlimit64", pyseccomp.Arg(0, pyseccomp.EQ, 0))
    rules.load()
