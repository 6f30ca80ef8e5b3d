"""A small machine as the files of its sysfs, and the types of the fixtures that write such files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

NODE = "sys/devices/system/node"
TWO_NODES = {
    f"{NODE}/online": "0-1\n",
    f"{NODE}/node0/meminfo": "\nNode 0 MemTotal:  1024 kB\nNode 0 MemFree:  512 kB\n",
    f"{NODE}/node0/cpulist": "0-1\n",
    f"{NODE}/node0/distance": "10 21\n",
    f"{NODE}/node1/meminfo": "\nNode 1 MemTotal:  2048 kB\n",
    f"{NODE}/node1/cpulist": "2-3\n",
    f"{NODE}/node1/distance": "21 10\n",
}
"""A small machine with two nodes; tests change a file or two of it."""

MakeFolder = Callable[[Mapping[str, str]], Path]
MakeTar = Callable[..., Path]
