"""Boot a guest, let it run a Python program, and read what the program printed."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from numakit.guest.image import GuestImage
from numakit.guest.layout import MEMORY, guest_topology
from numakit.guest.newc import EXECUTABLE, FILE, Entry, archive

QEMU = "qemu-system-x86_64"
PROGRAM = "program"  #: the folder of the guest in which the program lies; its main.py is run
ENDED = "-- the program has ended --"  #: the last line, which tells a whole answer from one that was cut off

#: No balancing and no huge pages: a page stays where the program puts it, and is a page. The kernel lies at its fixed
#: place, and with it the zero page on the first node.
COMMAND_LINE = "console=ttyS0 quiet panic=-1 nokaslr numa_balancing=disable transparent_hugepage=never mitigations=off"


class CouldNotRun(RuntimeError):
    """The guest gave no answer: there is no QEMU, it did not boot, or the program was not through in time."""


def boot(image: GuestImage, program: Mapping[str, bytes], seconds: float) -> list[str]:
    """The lines that a program printed in the guest; ``program``: its files by path, of which ``main.py`` is run.

    Raises :class:`CouldNotRun`, with the last lines of the guest's console, if that took longer than ``seconds``, or
    ended otherwise than with the program. The guest has no network and no disc, and is gone afterwards.
    """
    if shutil.which(QEMU) is None:
        raise CouldNotRun(f"{QEMU} is not installed (Debian's package qemu-system-x86 has it)")
    with tempfile.TemporaryDirectory() as folder:
        files, console, answers = (Path(folder) / name for name in ("files", "console", "answers"))
        files.write_bytes(image.files.read_bytes() + gzip.compress(archive(_with_init(program)), compresslevel=1))
        command = _command(image, files, console, answers)
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
            problem = done.stderr.strip()
        except subprocess.TimeoutExpired:
            problem = f"it was not through after {seconds:.0f} s"
        lines = _lines(answers)
        if not lines or lines[-1] != ENDED:
            said = "\n".join([problem, *lines[-20:], *_lines(console)[-10:]]).strip()
            raise CouldNotRun(f"the guest {image.release} gave no whole answer:\n{said}")
    return lines[:-1]


def _with_init(program: Mapping[str, bytes]) -> dict[str, Entry]:
    init = resources.files("numakit.guest").joinpath("init.py").read_bytes()
    entries = {f"{PROGRAM}/{path}": Entry(FILE, data) for path, data in program.items()}
    return {"init": Entry(FILE | EXECUTABLE, init), **entries}


def _command(image: GuestImage, files: Path, console: Path, answers: Path) -> list[str]:
    # Plain emulation: the same on every machine, with KVM or without.
    bare = [QEMU, "-nodefaults", "-display", "none", "-no-reboot", "-cpu", "max", "-accel", "tcg,thread=multi"]
    software = ["-kernel", str(image.kernel), "-initrd", str(files), "-append", COMMAND_LINE]
    lines = ["-serial", f"file:{console}", "-serial", f"file:{answers}"]
    return [*bare, *guest_topology().to_qemu(sum(MEMORY)), *software, *lines]


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
