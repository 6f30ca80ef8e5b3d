"""The layer below: numbers of system calls, masks of nodes, and an errno as a negative value."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import subprocess
import sys

import pytest

from numakit.abi import MAX_NUMNODES
from numakit.live import calls
from tests.clone import ROOT


def test_both_processors_have_a_number_for_every_call() -> None:
    """A call that is known on one only would fail on the other."""
    names = [set(numbers) for numbers in calls.NUMBERS.values()]
    assert names[0] == names[1]
    assert all(len(set(numbers.values())) == len(numbers) for numbers in calls.NUMBERS.values())


@pytest.mark.parametrize(
    ("call", "x86_64", "aarch64"),
    [
        ("move_pages", 279, 239),
        ("migrate_pages", 256, 238),
        ("mbind", 237, 235),
        ("set_mempolicy", 238, 237),
        ("get_mempolicy", 239, 236),
        ("vmsplice", 278, 75),
    ],
)
def test_numbers_are_those_of_the_tables_of_the_kernel(call: str, x86_64: int, aarch64: int) -> None:
    """A number is fixed for ever; a wrong one is some other call."""
    assert (calls.NUMBERS["x86_64"][call], calls.NUMBERS["aarch64"][call]) == (x86_64, aarch64)


def test_masks_have_one_length_and_a_bit_for_each_node() -> None:
    """Also for a node that is beyond what the kernel has."""
    few, many = calls.node_masks((0, 65), (MAX_NUMNODES + 7,))
    assert len(few) == len(many) == (MAX_NUMNODES + 64) // 64
    assert (few[0], few[1], sum(few)) == (1, 2, 3)
    assert many[len(many) - 1] == 1 << 7


@pytest.mark.skipif(platform.machine() not in calls.NUMBERS or sys.platform != "linux", reason="no known Linux")
def test_error_is_a_negative_value() -> None:
    """No exception, and no errno that somebody else may overwrite."""
    assert calls.read(-1, 0, 0) == -errno.EBADF
    out, into = os.pipe()
    assert calls.write(into, 1, 4) == -errno.EFAULT
    assert calls.munmap(1, 4096) == -errno.EINVAL
    data = ctypes.create_string_buffer(b"pages")
    assert calls.write(into, ctypes.addressof(data), 5) == 5
    assert os.read(out, 9) == b"pages"
    os.close(out)
    os.close(into)


IMPORTED_ELSEWHERE = """
import ctypes, os, platform, signal, socket, subprocess, sys, tempfile
import numakit
sys.platform = {platform!r}
for name in ("fcntl", "resource", "grp", "pwd"):
    sys.modules[name] = None
for module, names in ((os, ("fork", "getuid", "sysconf")), (socket, ("send_fds",)), (signal, ("SIGKILL", "SIGCHLD"))):
    for name in names:
        delattr(module, name)
def refuse(*arguments, **named):
    raise TypeError("no such library")
ctypes.CDLL = refuse
from numakit.live import CannotTry, World, query
import numakit.numa_maps
print(query([4096]))
try:
    World()
except CannotTry as why:
    print(why)
"""


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_other_systems_can_import_it_and_are_told_that_there_is_nobody_to_ask(system: str) -> None:
    """Nothing of Linux is looked up before it is needed."""
    program = IMPORTED_ELSEWHERE.format(platform=system)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    query, world = done.stdout.splitlines()
    assert query == f"The calls are those of Linux, and this is {system}: there is nobody to ask."
    assert world.startswith("A live world cannot be made here: the calls are those of Linux")
