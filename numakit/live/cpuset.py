"""Cpusets of a live world: folders in the control file system, where it is mounted and may be written to.

Both hierarchies are known: the first (cgroup, cpuset(7)), where pages move along only if that is switched on, and the
second (cgroup2), where they always do. A world makes folders below the cpuset that it is in, and removes them at its
end; it changes nothing that was there before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from numakit.live.refusal import CannotTry
from numakit.topology.idlists import format_list, parse_list

if TYPE_CHECKING:
    from numakit.live.world import World

MOST_NODES = 1 << 16  #: node ids that a file of the kernel may name


class Hierarchy(NamedTuple):
    """Where folders for cpusets can be made. ``second``: it is that of cgroup2."""

    folder: Path
    second: bool


class LiveCpuset:
    """A cpuset that a world made."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder

    @property
    def mems(self) -> frozenset[int]:
        """The nodes that it allows now."""
        return frozenset(parse_list((self.folder / "cpuset.mems").read_text(encoding="utf-8"), MOST_NODES))

    def set_mems(self, nodes: Iterable[int]) -> int:
        """Allow other nodes. 0, or the negative errno that the kernel gives who writes the file."""
        return written(self.folder / "cpuset.mems", format_list(nodes))

    def attach(self, pid: int) -> int:
        """Take in the process ``pid``, as in the model. 0, or a negative errno.

        It stays on its CPUs: until 6.1 the kernel gives it all that the cpuset has.
        """
        with suppress(OSError):  # no such process: whoever writes is told so
            cpus = os.sched_getaffinity(pid)
        ret = written(self.folder / "cgroup.procs", str(pid))
        if not ret:
            os.sched_setaffinity(pid, cpus)
        return ret

    def __repr__(self) -> str:
        return f"<LiveCpuset {self.name}: {self.folder}>"


def make_cpuset(world: World, name: str, mems: Iterable[int], memory_migrate: bool) -> LiveCpuset:
    """Make a folder for a cpuset and fill it in. Raises CannotTry with what is in the way."""
    where = hierarchy()
    if where is None:
        raise CannotTry("A cpuset cannot be made here: no cpuset controller is mounted, or not for this process.")
    folder = where.folder / f"numakit-{world.pid}-{len(world.cpusets)}"
    try:
        folder.mkdir()
    except OSError as error:
        raise CannotTry(f"A cpuset cannot be made here: {error.strerror} ({folder}). It takes root.") from None
    world.cpusets.append(LiveCpuset(name, folder))
    wishes = {"cpuset.mems": format_list(mems)}
    if not where.second:
        # A new cpuset of the first hierarchy is empty: a process can only get in once both files are filled.
        wishes["cpuset.cpus"] = (where.folder / "cpuset.cpus").read_text(encoding="utf-8").strip()
        wishes["cpuset.memory_migrate"] = str(int(memory_migrate))
    for file, text in wishes.items():
        if ret := written(folder / file, text):
            raise CannotTry(f"A cpuset cannot be made here: writing {text!r} to {file} is answered with errno {-ret}.")
    return world.cpusets[-1]


def hierarchy(proc: Path = Path("/proc/self")) -> Hierarchy | None:
    """Where cpusets are mounted, at the cpuset of this process if that can be seen; None if nowhere."""
    try:
        mounts = (proc / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        groups = (proc / "cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    own = {controllers: path for _, controllers, path in (line.split(":", 2) for line in groups)}
    for line in mounts:
        before, _, after = line.partition(" - ")
        kind, _, options = [*after.split(), "", "", ""][:3]
        root, mount = before.split()[3:5]
        if kind == "cgroup" and "cpuset" in options.split(","):
            path = next((path for names, path in own.items() if "cpuset" in names.split(",")), "/")
            return Hierarchy(below(Path(mount), root, path), second=False)
        if kind == "cgroup2":
            place = below(Path(mount), root, own.get("", "/"))
            if "cpuset" in text_of(place / "cgroup.subtree_control").split():
                return Hierarchy(place, second=True)
    return None


def below(mount: Path, root: str, path: str) -> Path:
    """The folder of a cgroup under a mount that shows the hierarchy from ``root`` on."""
    inside = path[len(root) :] if path.startswith(root) else ""
    folder = mount / inside.strip("/")
    return folder if folder.is_dir() else mount


def text_of(path: Path) -> str:
    """The text of a file; none where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""


def written(path: Path, text: str) -> int:
    """Write to a file of the kernel: 0 or the negative errno."""
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        return -(error.errno or 1)
    return 0
