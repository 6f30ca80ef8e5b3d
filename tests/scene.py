"""A small scene for tests of runs: processes that share memory, a pinned page, and others who act during the call."""

from __future__ import annotations

from numakit import MPOL_MF_MOVE_ALL, Machine, Result, Run


class Scene:
    """Two processes that share memory, one page pinned, one untouched; a call over all of it is about to be made."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.shell = machine.spawn("shell", node=0)
        self.area = self.shell.mmap(pages=5)
        self.shell.write(self.area[0:4])
        self.child = self.shell.fork("child")
        self.root = machine.spawn("root", uid=0, node=1)
        self.shell.write(self.area[1])
        self.shell.vmsplice(self.area[2])
        self.spare = machine.alloc_page(1)

    def begin(self) -> Run[Result]:
        """The call, with three others who act meanwhile."""
        call = self.root.move_pages
        run = self.machine.begin(call, self.shell.pid, self.area, [1, 1, 1, 0, 1], MPOL_MF_MOVE_ALL)
        run.when("COPY").do(self.child.write, self.area[0])
        run.when("PASS", nth=3).do(self.shell.mmap, 2)
        run.when("TRY_TO_UNMAP", nth=2).do(self.shell.read, self.area[1])
        return run

    def record(self) -> Run[Result]:
        """The same, made to its end."""
        run = self.begin()
        run.finish()
        return run


def recorded(scene: Scene) -> Run[Result]:
    """A short recorded run."""
    return scene.machine.record(scene.shell.move_pages, 0, scene.area)
