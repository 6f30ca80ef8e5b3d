"""Random worlds: processes with anonymous, shared, file and driver memory, some of it swapped out or pinned."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from numakit import MPOL_MF_MOVE_ALL, PAGE_SIZE, File, Machine, Process
from numakit.kernels import SEED, Kernel
from numakit.machine.vma import find_vma
from tests.random.machines import small_machine


def places_from(start: int, pages: int) -> list[int]:
    """The addresses of an area."""
    return [start + i * PAGE_SIZE for i in range(pages)]


#: Where the mmaps of a process go, one after the other, with a hole behind each.
PRIVATE, SHARED, FILE, COPY, DRIVER = (0x10000000 + first * PAGE_SIZE for first in (0, 7, 11, 15, 18))
PLACES = places_from(PRIVATE, 6) + places_from(SHARED, 3)
FILE_PLACES = places_from(FILE, 3) + places_from(COPY, 2)
EVERYWHERE = [*PLACES, *FILE_PLACES, DRIVER]
HOLE = PRIVATE + 6 * PAGE_SIZE

FILE_SYSTEMS = ("tmpfs", "ext2", "reiserfs", "nfs", "faulty", "ramfs")
FILE_PAGES = 3
SWAP_PAGES = 10  #: few enough that the swap disc fills up now and then


def world(random_seed: int, kernel: Kernel = SEED) -> Machine:
    """A machine of two or three nodes, with a process, its child, which shares its pages, and perhaps a grandchild."""
    draw = Random(f"world {random_seed}")
    frames = {0: 40, 1: 40} if draw.random() < 0.5 else {0: 40, 1: 40, 3: draw.choice((0, 4, 40))}
    machine = small_machine(frames, kernel, SWAP_PAGES)
    parent = machine.spawn("parent", uid=0, node=0)
    for area in (parent.mmap(pages=6), parent.mmap(pages=3, shared=True)):
        parent.write([page for page in area if draw.random() < 0.85])
    map_files(draw, parent)
    parent.read([page for page in PLACES if draw.random() < 0.2])
    child = parent.fork("child")
    child.read([page for page in EVERYWHERE if draw.random() < 0.7])
    child.write([page for page in EVERYWHERE if draw.random() < 0.2])
    if draw.random() < 0.5:
        swap_out(parent, [page for page in PLACES if draw.random() < 0.4])
        parent.read([page for page in PLACES if draw.random() < 0.6])
    if draw.random() < 0.4:
        grandchild = child.fork("grandchild")
        grandchild.read([page for page in EVERYWHERE if draw.random() < 0.5])
    if draw.random() < 0.5:
        parent.move_pages(0, PLACES[2:4], [1, 1], MPOL_MF_MOVE_ALL)
    if draw.random() < 0.2:
        child.mlock([draw.choice(EVERYWHERE)])
    if draw.random() < 0.3:
        parent.vmsplice(draw.sample(EVERYWHERE, 2))
    if draw.random() < 0.1:
        parent.register_memory([draw.choice(EVERYWHERE)])
    return machine


def map_files(draw: Random, process: Process, file_systems: Sequence[str] = FILE_SYSTEMS) -> None:
    """A process maps a file shared, another, or the same, privately, and memory of a driver; most of it is touched."""
    machine = process.machine
    files = [machine.file(name, FILE_PAGES, draw.choice(file_systems)) for name in ("log", "library")]
    for file in files:
        write_and_exit(file, [index for index in range(FILE_PAGES) if draw.random() < 0.3])
    areas = [process.mmap(FILE_PAGES, shared=True, file=files[0]), process.mmap(2, file=draw.choice(files))]
    areas.append(process.mmap_driver(1))
    for area in areas:
        process.read([page for page in area if draw.random() < 0.7])
        process.write([page for page in area if draw.random() < 0.4])


def write_and_exit(file: File, indices: list[int]) -> None:
    """Somebody writes to pages of a file and exits: the pages are dirty, and no PTE leads to them."""
    writer = file.machine.spawn("writer", node=1)
    area = writer.mmap(FILE_PAGES, shared=True, file=file)
    writer.write([area[index] for index in indices])
    writer.exit()


def swap_out(process: Process, addresses: list[int]) -> None:
    """Reclaim the pages of a process behind some addresses, as far as that goes."""
    process.machine.migrate_prep()
    process.machine.reclaim(pages_behind(process, addresses))


def pages_behind(process: Process, addresses: list[int]) -> list[int]:
    """The pages that a process maps at some addresses, each once."""
    return list(dict.fromkeys(page for address in addresses if (page := process.page(address)) is not None))


def file_behind(process: Process, address: int) -> tuple[File, int] | None:
    """The file that a process maps at an address, and the index there; None for memory, and where a file has ended."""
    machine = process.machine
    vma = find_vma(machine, process.mm, address)
    if vma is None or not vma.file:
        return None
    file, index = machine.file_numbered(vma.file), vma.pgoff + (address - vma.start) // PAGE_SIZE
    return (file, index) if file.name and index < file.struct.size else None
