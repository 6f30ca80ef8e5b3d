"""The few files of sysfs that a topology is made from, as bytes, wherever they came from.

Paths are as under the machine's root: "sys/devices/system/node/node0/meminfo". A snapshot is bounded by the
limits below, each far above what the largest Linux machine (1024 nodes, 8192 CPUs) can fill.
"""

import re
from dataclasses import dataclass, field

from numakit.topology.description import TopologyError

MAX_FILE = 1 << 16
"""Bytes of one file: a mask of 8192 CPUs has 2.3 kB, a row of 1024 distances 4 kB, a node's meminfo 2 kB."""

MAX_ENTRIES = 1 << 18
"""Names that are looked at: a node's folder has a link for each CPU and each block of memory."""

NODES = "sys/devices/system/node"
CPUS = "sys/devices/system/cpu"
MEMINFO = "proc/meminfo"

_WANTED = re.compile(
    r"sys/devices/system/node/(online|possible|node[0-9]+/(meminfo|distance|cpulist|cpumap))"
    r"|sys/devices/system/cpu/(online|present|possible)"
    r"|proc/meminfo"
)
_NAMED = re.compile(r"sys/devices/system/node/node[0-9]+(/cpu[0-9]+)?")


@dataclass
class Snapshot:
    """`files` by path, the `names` of node folders and of the CPUs in them, and where all this is from."""

    origin: str
    files: dict[str, bytes] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)

    def text(self, path: str) -> str | None:
        """The file's text without its end, None if there is no such file or nothing in it. Must be ASCII."""
        content = self.files.get(path)
        if not content:
            return None
        try:
            # Some kernels let the NUL that ends their string slip into the file.
            return content.rstrip(b"\0").decode("ascii")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise self.error(path, line, "this is not ASCII text") from None

    def error(self, path: str, line: int, problem: str) -> TopologyError:
        """The exception that names archive or folder, file and line."""
        return TopologyError(f"{self.origin}: {path}, line {line}: {problem}")


def is_wanted(path: str) -> bool:
    """Whether the file at this path is read."""
    return _WANTED.fullmatch(path) is not None


def is_named(path: str) -> bool:
    """Whether the mere existence of this path tells something: a node, or a CPU of a node."""
    return _NAMED.fullmatch(path) is not None
