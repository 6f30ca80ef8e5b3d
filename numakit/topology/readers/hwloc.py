"""hwloc's XML, versions 1 to 3 (utils/hwloc/hwloc2.dtd of hwloc).

The file is fed to a parser that knows no entities and fetches nothing (defusedxml); of all elements only the NUMA
nodes and their distances are kept, never a tree. What a node's cpuset means is "near": memory without CPUs of its own
(HBM, persistent memory, CXL) has the cpuset of what it hangs on. CPUs therefore go to the ordinary memory beside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from numakit.topology.description import Description, Node, TopologyError
from numakit.topology.idlists import format_list, shortened
from numakit.topology.readers.content import beginning, read_content
from numakit.topology.readers.hwloc_elements import Elements, Found
from numakit.topology.readers.hwloc_matrices import choose_matrix

KINDS_OF_SUBTYPES = {
    "MCDRAM": "hbm",
    "HBM": "hbm",
    "SPM": "hbm",
    "NVM": "pmem",
    "CXL-DRAM": "cxl",
    "CXL-NVM": "cxl",
    "GPUMemory": "device",
}
"""hwloc's names for memory ("subtype" of a NUMANode) that is not ordinary; SPM: specific-purpose memory."""


def is_hwloc(path: Path) -> bool:
    """Whether a file is named *.xml or begins with markup."""
    return path.suffix == ".xml" or beginning(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def read_hwloc(path: Path) -> Description:
    """The machine of the file; raises `TopologyError` naming file and line."""
    return parse_hwloc(read_content(path), str(path), path.stem)


def parse_hwloc(content: bytes, origin: str, name: str) -> Description:
    """The same for content that is no file: `origin` stands for it in errors."""
    elements = _parsed(content, origin)
    found = elements.nodes or elements.machines[:1]
    if not found:
        raise TopologyError(f"{origin}: there is no NUMANode in it; allowed is hwloc's XML of a whole machine")
    nodes, notes = _nodes(found)
    distances, more = choose_matrix(elements, [node.index for node in found])
    return Description(name, nodes, distances, (*notes, *more))


def _parsed(content: bytes, origin: str) -> Elements:
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, XMLParser

    elements = Elements(origin)
    parser: Any = XMLParser(target=elements, forbid_dtd=False, forbid_entities=True, forbid_external=True)
    elements.line = lambda: int(parser.parser.CurrentLineNumber)
    try:
        # In one piece: a token that comes in many pieces costs the square of their number.
        parser.feed(content)
        parser.close()
    except ParseError as error:
        raise TopologyError(f"{origin}, line {error.position[0]}: this is not XML ({_reason(error)})") from None
    except DefusedXmlException as error:
        kind = type(error).__name__
        raise TopologyError(f"{origin}, line {elements.line()}: entities are not allowed ({kind})") from None
    except TopologyError:
        raise
    except (ValueError, LookupError) as error:
        raise TopologyError(f"{origin}, line 1: this is not XML ({shortened(str(error))})") from None
    return elements


def _reason(error: SyntaxError) -> str:
    """What is wrong, without the place."""
    return str(error.msg).partition(":")[0]


def _nodes(found: list[Found]) -> tuple[dict[int, Node], list[str]]:
    """The nodes by id; a cpuset that an ordinary node has too is not another kind's own."""
    kinds = {node.index: KINDS_OF_SUBTYPES.get(node.subtype, "ram") for node in found}
    ordinary = {cpu for node in found if kinds[node.index] == "ram" for cpu in node.cpus}
    nodes, beside = {}, []
    for node in found:
        cpus = node.cpus
        if kinds[node.index] != "ram" and cpus and ordinary.issuperset(cpus):
            cpus = ()
            beside.append(node.index)
        nodes[node.index] = Node(node.memory, cpus, kind=kinds[node.index])
    notes = []
    if beside:
        notes.append(
            f"The CPUs near node {format_list(beside)} are those of nodes with ordinary memory:"
            " in Linux a CPU belongs to one node, so that these have none."
        )
    return nodes, notes
