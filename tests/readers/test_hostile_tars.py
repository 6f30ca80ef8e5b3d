"""Archives by people who mean no good: one clear error, in bounded time and memory."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from pathlib import Path

import pytest

from numakit.topology import Topology, TopologyError
from numakit.topology.readers import archive
from tests.readers.samples import NODE, MakeTar


def _member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_an_honest_tar_is_read(make_tar: MakeTar, two_nodes: dict[str, str]) -> None:
    topology = Topology.load(make_tar(two_nodes))
    assert (topology.name, topology.nodes, topology.distance(0, 1)) == ("machine", (0, 1), 21)


def test_links_that_stay_inside_are_followed_or_say_nothing(make_tar: MakeTar, two_nodes: dict[str, str]) -> None:
    del two_nodes[f"{NODE}/node1/cpulist"]
    links = [
        _member(f"machine/{NODE}/node1/cpulist", tarfile.SYMTYPE, "../node0/cpulist"),
        _member(f"machine/{NODE}/node0/cpu0", tarfile.SYMTYPE, "."),
        _member(f"machine/{NODE}/node0/cpu1", tarfile.SYMTYPE, "../../cpu/cpu1"),
        _member("machine/nowhere", tarfile.SYMTYPE, "not/there"),
    ]
    assert Topology.load(make_tar(two_nodes, *links)).cpus(1) == (0, 1)


@pytest.mark.parametrize(
    "member",
    [
        _member("machine/link", tarfile.SYMTYPE, "/etc/passwd"),
        _member("machine/link", tarfile.SYMTYPE, "../../etc/passwd"),
        _member("machine/link", tarfile.LNKTYPE, "../x"),
        _member("machine/../../x", tarfile.REGTYPE),
        _member("/absolute", tarfile.REGTYPE),
        _member("machine/null", tarfile.CHRTYPE),
        _member("machine/disc", tarfile.BLKTYPE),
        _member("machine/pipe", tarfile.FIFOTYPE),
    ],
    ids=lambda member: f"{member.name}-{member.linkname}-{member.type!r}",
)
def test_members_that_leave_the_archive_or_are_devices_are_refused(
    make_tar: MakeTar, two_nodes: dict[str, str], member: tarfile.TarInfo
) -> None:
    with pytest.raises(TopologyError, match=r"machine\.tar\.gz.*(leaves the archive|neither file, folder nor link)"):
        Topology.load(make_tar(two_nodes, member))


def test_a_bomb_is_refused_when_it_has_unpacked_too_much(tmp_path: Path) -> None:
    header = tarfile.TarInfo("machine/large")
    header.size = 1 << 30
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb", compresslevel=1) as stream:
        stream.write(header.tobuf())
        for _ in range(65):
            stream.write(bytes(1 << 20))
    with pytest.raises(TopologyError, match=f"more than the allowed {archive.MAX_UNPACKED} bytes"):
        Topology.load(path)


def test_a_wanted_file_that_is_too_long_is_refused(make_tar: MakeTar, two_nodes: dict[str, str]) -> None:
    with pytest.raises(TopologyError, match="has 70000 bytes; allowed are 65536"):
        Topology.load(make_tar(two_nodes | {f"{NODE}/node0/cpulist": "0" * 70000}))


def test_too_many_members_are_refused(
    make_tar: MakeTar, two_nodes: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 5)
    with pytest.raises(TopologyError, match="more than the allowed 5 members"):
        Topology.load(make_tar(two_nodes))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_long_extended_headers_are_refused_before_they_are_read(tmp_path: Path, kind: bytes) -> None:
    header = _member("long", kind)
    header.size = 1 << 29
    path = tmp_path / "long.tar"
    path.write_bytes(header.tobuf(tarfile.USTAR_FORMAT) + bytes(1024))
    with pytest.raises(TopologyError, match=r"long\.tar: an extended header has 536870912 bytes"):
        Topology.load(path)


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    """Their map of holes may be of any length."""
    old = _member("old", tarfile.GNUTYPE_SPARSE)
    new = tarfile.TarInfo("new")
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    headers = {"old": old.tobuf(tarfile.GNU_FORMAT), "new": new.tobuf(tarfile.PAX_FORMAT)}
    for name, header in headers.items():
        path = tmp_path / f"{name}.tar"
        path.write_bytes(header + b"1\n" * 512)
        with pytest.raises(TopologyError, match="is a sparse file"):
            Topology.load(path)


def test_a_chain_of_headers_is_refused(tmp_path: Path) -> None:
    header = _member("chain", tarfile.GNUTYPE_LONGNAME)
    header.size = 2
    path = tmp_path / "chain.tar"
    path.write_bytes((header.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")) * 5000)
    with pytest.raises(TopologyError, match="this is not a whole tar"):
        Topology.load(path)


def test_damaged_and_foreign_files_are_refused(tmp_path: Path) -> None:
    whole = (Path(__file__).parents[2] / "numakit/topology/dumps/16amd64-8n2c.tar.bz2").read_bytes()
    damaged = {
        "empty.tar": b"",
        "text.tar": b"available: 2 nodes (0-1)\n" * 100,
        "cut.tar.bz2": whole[: len(whole) // 2],
        "flipped.tar.bz2": whole[:3000] + bytes([whole[3000] ^ 255]) + whole[3001:],
        "no.tar.gz": b"\x1f\x8b\x08\0" + b"x" * 100,
        "cut.tar": bz2.decompress(whole)[:100_000],
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TopologyError, match=name):
            Topology.load(tmp_path / name)


def test_two_machines_in_one_tar_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "two.tar"
    with tarfile.open(path, "w") as both:
        for machine in ("a", "b"):
            header = tarfile.TarInfo(f"{machine}/{NODE}/node0/cpulist")
            both.addfile(_member(f"{machine}/{NODE}/node0", tarfile.DIRTYPE))
            both.addfile(header, io.BytesIO())
    with pytest.raises(TopologyError, match="holds two machines, 'a' and 'b'"):
        Topology.load(path)


def test_other_kinds_of_files_are_refused_with_what_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "machine.doc").write_text("x")
    with pytest.raises(TopologyError, match="allowed are a sysfs folder, a sysfs tar"):
        Topology.load(tmp_path / "machine.doc")
    with pytest.raises(FileNotFoundError, match=r"no such file or folder, and no shipped dump \(16amd64"):
        Topology.load("nowhere.tar")
