#!/usr/bin/python3 -I
"""The first process of the guest: mounts what a program expects, runs it, and switches the machine off.

It runs in the guest only, before there is any package: it imports nothing but the standard library.
"""

import ctypes
import os
import runpy
import sys
import termios
import traceback

POWER_OFF = 0x4321FEDC  # LINUX_REBOOT_CMD_POWER_OFF
MOUNTS = (
    ("proc", "/proc", "proc"),
    ("sysfs", "/sys", "sysfs"),
    ("devtmpfs", "/dev", "devtmpfs"),
    ("tmpfs", "/tmp", "tmpfs"),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2"),
)
ENDED = "-- the program has ended --"


def main() -> None:
    """Prepare, run, and switch off, whatever the program does."""
    libc = ctypes.CDLL(None, use_errno=True)
    for source, target, kind in MOUNTS:
        os.makedirs(target, exist_ok=True)
        libc.mount(source.encode(), target.encode(), kind.encode(), 0, None)
    with open("/sys/fs/cgroup/cgroup.subtree_control", "w", encoding="ascii") as controllers:
        controllers.write("+cpuset")
    answers = os.open("/dev/ttyS1", os.O_WRONLY | os.O_NOCTTY)
    for stream in (1, 2):
        os.dup2(answers, stream)
    ended = ""
    try:
        sys.path.insert(0, "/program")
        runpy.run_path("/program/main.py", run_name="__main__")
        ended = ENDED
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    print(ended, flush=True)
    termios.tcdrain(1)
    libc.reboot(POWER_OFF)


if __name__ == "__main__":
    main()
