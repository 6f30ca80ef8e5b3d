"""As whom a submission runs, and how much it may take.

Root starts it and it becomes another user, one for each submission; who is not root puts it into a namespace, where
bubblewrap can make one; otherwise it runs as the grader, and the grader is told that submissions are trusted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

KIT = Path(__file__).resolve().parent.parent.parent  #: the folder that holds the package
USERS = range(61184, 65520)  #: ids that nobody has: those that systemd, too, gives away for a while
CLAIMS = Path("/var/run")  #: where only root can write
SLEEPING = 3  #: as many times the seconds that it may work
TRUSTED = (
    "submissions run as the user who grades, without walls: grade only those that you trust "
    "(as root, or with bubblewrap installed, they are kept apart)"
)


class Limits(NamedTuple):
    """What a submission may take: seconds for a cell and in all, bytes of memory, of what it prints, of a file.

    Seconds are those that processors work for it, so that nobody loses points to a machine that has much else to do;
    asleep it may spend `SLEEPING` times as many.
    """

    cell_seconds: float = 20
    all_seconds: float = 100
    memory: int = 1 << 30
    output: int = 20_000
    file_size: int = 1 << 20


class Walls(NamedTuple):
    """How a submission is kept apart: words in front of its command, and the user that it becomes."""

    kind: str  #: "another user", "namespace" or "none"
    command: tuple[str, ...] = ()
    uid: int | None = None


@contextmanager
def walls(kind: str | None = None) -> Iterator[Walls]:
    """The best walls that there are for a submission, or those of a kind; a user is nobody else's meanwhile.

    Raises OSError if all users are taken.
    """
    kind = kind or best_kind()
    if kind != "another user":
        yield Walls(kind, tuple(namespace_command())) if kind == "namespace" else Walls("none")
        return
    with a_user() as uid:
        yield Walls(kind, uid=uid)


@contextmanager
def a_user() -> Iterator[int]:
    """A user that no other judge of this machine has meanwhile, whoever started it: a lock says so. For root.

    Raises OSError if all are taken.
    """
    import fcntl

    for uid in USERS:
        lock = os.open(CLAIMS / f"numakit-user-{uid}", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        try:
            yield uid
        finally:
            end_all_of(uid)
            os.close(lock)  # and it is free again, as it would be if this process ended
        return
    raise OSError("all users for submissions are taken")


@cache
def best_kind() -> str:
    """ "another user" for root, "namespace" where bubblewrap makes one, else "none"."""
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return "another user"
    return "namespace" if namespaces_work() else "none"


@cache
def namespaces_work() -> bool:
    """Whether bubblewrap is installed, and the kernel lets it make namespaces."""
    if shutil.which("bwrap") is None:
        return False
    command = [*namespace_command(), sys.executable, "-c", ""]
    return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0


def namespace_command() -> list[str]:
    """Bubblewrap with Python and the kit to read, an empty folder to write, no network, and nothing else."""
    paths = {"/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", str(KIT / "numakit")}
    paths |= {sys.prefix, sys.base_prefix, *(sysconfig.get_paths()[name] for name in ("stdlib", "purelib", "platlib"))}
    command = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
    command += ["--tmpfs", "/tmp", "--dir", "/tmp/empty", "--proc", "/proc", "--dev", "/dev"]
    for path in sorted(paths):
        command += ["--ro-bind-try", path, path]
    if (solutions := KIT / "numakit" / "course").is_dir():
        command += ["--tmpfs", str(solutions)]
    return [*command, "--chdir", "/tmp/empty"]


def seconds_worked(pid: int) -> float:
    """Seconds that processors worked for a process and those that it started; 0 where /proc does not tell.

    Of bubblewrap the submission is a child's child.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        return 0
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") + sum(seconds_worked(int(c)) for c in children)


def environment(folder: str) -> dict[str, str]:
    """The little that a submission's process knows of its surroundings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SYSTEMROOT") if name in os.environ}
    alone = {"HOME": folder, "TMPDIR": folder, "PYTHONPATH": str(KIT), "PYTHONDONTWRITEBYTECODE": "1"}
    return kept | alone | {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}


def end_all_of(uid: int) -> None:
    """Kill whatever processes of that user are left. For root."""
    code = f"import os; os.setresgid({uid}, {uid}, {uid}); os.setresuid({uid}, {uid}, {uid}); os.kill(-1, 9)"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=False, capture_output=True, timeout=20)
