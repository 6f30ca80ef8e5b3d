"""How a world begins and how it ends: its processes are told by the end of their channel, and waited for; nothing waits
for ever.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from numakit.live.channel import Channel
from numakit.live.cpuset import LiveCpuset

#: What a Python without site-packages runs: the modules beside this one, without the kit's own __init__ files, which
#: would load all of it.
START = """
import sys, types
for name, folder in (("numakit", sys.argv[1]), ("numakit.live", sys.argv[2])):
    sys.modules[name] = module = types.ModuleType(name)
    module.__path__ = [folder]
from numakit.live.nursery import main
main(int(sys.argv[3]))
"""

END_SECONDS = 5.0  #: within this, a process that was told to end is gone, or gets SIGKILL


def start_nursery(fd: int) -> subprocess.Popen[bytes]:
    """Start the process from which all others of a world are forked; ``fd``: its end of the channel."""
    live = Path(__file__).resolve().parent
    command = [sys.executable, "-I", "-S", "-c", START, str(live.parent), str(live), str(fd)]
    return subprocess.Popen(command, pass_fds=(fd,), stdin=subprocess.DEVNULL, start_new_session=True)


def end_process(pid: int, channel: Channel) -> None:
    """Tell a process to end and wait until it is gone; nothing to do if its channel was closed before.

    A process whose end of the channel is open still lives: a signal meets nobody else who has got its pid.
    """
    if channel.closed:
        return
    channel.hang_up()

    def kill() -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)

    channel.wait_for_end(END_SECONDS, kill)
    channel.close()
    deadline = time.monotonic() + END_SECONDS
    while exists(pid) and time.monotonic() < deadline:
        time.sleep(0.0005)  # its files are closed already; what is left takes the kernel microseconds


def end_world(
    owner: int,
    nursery: subprocess.Popen[bytes],
    channel: Channel,
    members: Iterable[tuple[int, Channel]],
    cpusets: Iterable[LiveCpuset],
) -> None:
    """End all processes of a world, the nursery last: it reaps the others. Then its cpusets can be removed.

    Only for ``owner``, the process that made the world: one that was forked from it has all this in its memory, too.
    """
    if os.getpid() != owner:
        return
    processes = list(members)
    for _, its in processes:
        if not its.closed:
            its.hang_up()  # to all first, so that they end at the same time
    for pid, its in processes:
        end_process(pid, its)
    channel.hang_up()
    channel.close()
    try:
        nursery.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        nursery.kill()
        nursery.wait(END_SECONDS)
    for cpuset in cpusets:
        with suppress(OSError):
            cpuset.folder.rmdir()


def remove_files(owner: int, folder: Path) -> None:
    """Remove the files of a world, and their folder. Only for ``owner``, as above."""
    if os.getpid() != owner:
        return
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def exists(pid: int) -> bool:
    """Whether a process has that pid."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
