"""What the files below /sys/devices/system/node mean (Documentation/ABI/stable/sysfs-devices-node).

online, possible    lists of node ids
nodeN/meminfo       "Node 0 MemTotal: 8077312 kB", and MemFree
nodeN/distance      one number for each online node, in ascending order of ids
nodeN/cpulist       or cpumap, or a link cpuM for each CPU: kernels of 2006 have fewer of these than today's
"""

import re

from numakit.abi import MAX_NUMNODES
from numakit.topology.description import MAX_CPUS, MAX_MEMORY, UNREACHABLE, Description, Node, TopologyError
from numakit.topology.idlists import decimal, format_list, parse_list, parse_mask
from numakit.topology.readers.snapshot import CPUS, MEMINFO, NODES, Snapshot

_MEMTOTAL = re.compile(r"(?:Node +[0-9]+ +)?(MemTotal):(.*)")
_MEMFREE = re.compile(r"(?:Node +[0-9]+ +)?(MemFree):(.*)")


def describe(snapshot: Snapshot, name: str) -> Description:
    """The machine of a snapshot; without NUMA folders, one node with all memory and CPUs.

    Raises `TopologyError`, naming file and line, for what is malformed or contradicts itself.
    """
    folders = _folders(snapshot)
    if not folders:
        return Description(name, {0: _whole_machine(snapshot)})
    online = _online(snapshot, folders)
    possible = _ids(snapshot, f"{NODES}/possible") or ()
    nodes = {i: Node(online=False) for i in {*possible, *folders}}
    notes = []
    for i in online:
        path = f"{NODES}/node{i}/meminfo"
        memory = _memory(snapshot, path, _MEMTOTAL)
        if memory is None:
            notes.append(f"Node {i} has no meminfo: it is taken to be memory-less.")
        nodes[i] = Node(memory or 0, _cpus(snapshot, i), free=_memory(snapshot, path, _MEMFREE))
    return Description(name, nodes, _distances(snapshot, online), tuple(notes))


def _folders(snapshot: Snapshot) -> tuple[int, ...]:
    """Ids of the node folders, ascending."""
    digits = [path.removeprefix(f"{NODES}/node") for path in snapshot.names if "/cpu" not in path]
    try:
        return tuple(sorted({decimal(text, MAX_NUMNODES) for text in digits}))
    except ValueError as error:
        raise TopologyError(f"{snapshot.origin}: {NODES}: a node folder's number: {error}") from None


def _online(snapshot: Snapshot, folders: tuple[int, ...]) -> tuple[int, ...]:
    path = f"{NODES}/online"
    online = _ids(snapshot, path)
    if online is None:
        return folders
    missing = sorted(set(online) - set(folders))
    if missing:
        raise snapshot.error(path, 1, f"node {format_list(missing)} is online, but has no folder")
    return online


def _ids(snapshot: Snapshot, path: str) -> tuple[int, ...] | None:
    """The node ids of a list, None where there is no such file or nothing in it."""
    text = snapshot.text(path)
    if text is None or not text.strip():
        return None
    return _parsed_ids(snapshot, path, text)


def _parsed_ids(snapshot: Snapshot, path: str, text: str) -> tuple[int, ...]:
    try:
        return parse_list(text, MAX_NUMNODES)
    except ValueError as error:
        raise snapshot.error(path, 1, str(error)) from None


def _memory(snapshot: Snapshot, path: str, wanted: re.Pattern[str]) -> int | None:
    """Bytes of the line, None where there is no such file; MemTotal must be there, MemFree need not."""
    text = snapshot.text(path)
    if text is None:
        return None
    for number, line in enumerate(text.split("\n"), start=1):
        match = wanted.fullmatch(line.strip())
        if match:
            return _kilobytes(snapshot, path, number, match[1], match[2])
    if wanted is _MEMFREE:
        return None
    raise snapshot.error(path, text.count("\n") + 1, "there is no line with MemTotal")


def _kilobytes(snapshot: Snapshot, path: str, line: int, field: str, text: str) -> int:
    words = text.split()
    if len(words) != 2 or words[1] != "kB":
        raise snapshot.error(path, line, f"{field} needs a number and kB")
    try:
        return decimal(words[0], MAX_MEMORY // 1024 + 1) * 1024
    except ValueError as error:
        raise snapshot.error(path, line, f"{field}: {error}") from None


def _cpus(snapshot: Snapshot, i: int) -> tuple[int, ...]:
    """The CPUs of node i, from its list, its mask or its links, whichever there is."""
    folder = f"{NODES}/node{i}"
    for path, parse in ((f"{folder}/cpulist", parse_list), (f"{folder}/cpumap", parse_mask)):
        text = snapshot.text(path)
        if text is None:
            continue
        try:
            return parse(text, MAX_CPUS)
        except ValueError as error:
            raise snapshot.error(path, 1, str(error)) from None
    digits = [path.removeprefix(f"{folder}/cpu") for path in snapshot.names if path.startswith(f"{folder}/cpu")]
    try:
        return tuple(sorted({decimal(text, MAX_CPUS) for text in digits}))
    except ValueError as error:
        raise TopologyError(f"{snapshot.origin}: {folder}: a CPU's number: {error}") from None


def _distances(snapshot: Snapshot, online: tuple[int, ...]) -> dict[int, dict[int, int]] | None:
    """A row for each online node; None if there is no row at all."""
    texts = {i: snapshot.text(f"{NODES}/node{i}/distance") for i in online}
    if all(text is None for text in texts.values()):
        return None
    return {i: _row(snapshot, i, texts[i], online) for i in online}


def _row(snapshot: Snapshot, i: int, text: str | None, online: tuple[int, ...]) -> dict[int, int]:
    path = f"{NODES}/node{i}/distance"
    if text is None:
        raise snapshot.error(path, 1, "missing or empty, though other nodes have their distances")
    words = text.split()
    if len(words) != len(online):
        raise snapshot.error(path, 1, f"{len(words)} distances for {len(online)} online nodes")
    try:
        return {j: decimal(word, UNREACHABLE + 1) for j, word in zip(online, words, strict=True)}
    except ValueError as error:
        raise snapshot.error(path, 1, str(error)) from None


def _whole_machine(snapshot: Snapshot) -> Node:
    """All memory and CPUs: what Linux makes of a machine without NUMA support."""
    memory, free = _memory(snapshot, MEMINFO, _MEMTOTAL), _memory(snapshot, MEMINFO, _MEMFREE)
    if memory is None:
        raise TopologyError(f"{snapshot.origin}: neither {NODES}/node* nor {MEMINFO}: this is no sysfs snapshot")
    for path in (f"{CPUS}/online", f"{CPUS}/present"):
        text = snapshot.text(path)
        if text is None:
            continue
        try:
            return Node(memory, parse_list(text, MAX_CPUS), free=free)
        except ValueError as error:
            raise snapshot.error(path, 1, str(error)) from None
    return Node(memory, (0,), free=free)
