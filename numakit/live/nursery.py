"""The nursery: one small process of a world from which all its processes are forked.

It is a fresh Python, not a fork of this one: a notebook's memory, threads and open files have no part in it. Nobody is
left over, however the world ends: every process ends with its channel, those that the nursery forked end with the
nursery, and orphans come back to it and are reaped unasked.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple, NoReturn

from numakit.live import calls
from numakit.live.agent import Agent
from numakit.live.channel import Channel

PATIENCE = 3  #: seconds


class Birth(NamedTuple):
    """Who a process is to be: None for what it is to inherit."""

    ids: tuple[int, int, int] | None  #: uid, euid and suid
    cpus: Sequence[int] | None  #: where it may run
    capabilities: Sequence[str] | None  #: None: those that its ids bring


def main(fd: int) -> NoReturn:
    """Fork a process for each message, until the channel ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children and orphans are reaped by the kernel
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted cell interrupts who asked, not who answers
    calls.prctl(calls.PR_SET_CHILD_SUBREAPER, 1)
    calls.prctl(calls.PR_SET_THP_DISABLE, 1)  # with large folios, neighbours of a touched page had frames as well
    channel = Channel(socket.socket(fileno=fd))
    while message := channel.receive():
        assert message.fd is not None
        pid = os.fork()
        if not pid:
            channel.close()
            be_born(Channel(socket.socket(fileno=message.fd)), Birth(*message.data))
        os.close(message.fd)
        try:
            channel.send(pid)
        except OSError:
            break  # whoever asked is gone
    wait_for_all()
    os._exit(0)


def wait_for_all() -> None:
    """Outlive the others, who are told to end at the same time: nobody else would reap them as fast. Not for ever: then
    this process is killed, and its children with it.
    """
    signal.alarm(PATIENCE)
    with suppress(ChildProcessError):
        os.wait()  # with SIGCHLD ignored it returns when there is no child left


def be_born(channel: Channel, birth: Birth) -> NoReturn:
    """Become who one is to be, say so, and serve. What failed is told in the first message."""
    try:
        become(birth)
    except OSError as error:
        channel.send({"cannot": f"{error.strerror} (errno {error.errno})"})
        os._exit(1)
    channel.send({"answer": 0})
    Agent(channel).serve()


def become(birth: Birth) -> None:
    """Take on CPUs, ids and capabilities. Raises OSError for what the kernel does not allow."""
    if birth.cpus is not None:
        os.sched_setaffinity(0, birth.cpus)
    if birth.capabilities is not None:
        calls.prctl(calls.PR_SET_KEEPCAPS, 1)  # else they are gone with root's id
    if birth.ids is not None and tuple(birth.ids) != os.getresuid():
        uid = birth.ids[0]
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
        os.setresuid(*birth.ids)
        # A process that has changed its ids is closed to others of the same user, and its /proc files to itself.
        calls.prctl(calls.PR_SET_DUMPABLE, 1)
    if birth.capabilities is not None and (ret := calls.capset(birth.capabilities)):
        raise OSError(-ret, os.strerror(-ret))
    calls.prctl(calls.PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of ids would have cleared it
