"""Makes the images that `make oracle` boots: a kernel and a first file system with Python, from Debian's packages.

Nothing is installed: packages are downloaded by apt-get, unpacked by dpkg-deb, and packed again. Images are kept in
the folder `.oracle`, a kernel each, until it is removed.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from numakit.guest.image import GuestImage, describe_image, open_image
from numakit.guest.newc import Entry, archive

#: The kernel of the kit -> the package that leads to the newest build of it.
KERNEL_PACKAGES = {"6.1": "linux-image-6.1-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}
RELEASE_PACKAGE = "linux-image-cloud-amd64"  #: the release's own kernel, which may be one of these
LIBRARIES = ("libc6", "zlib1g", "libbz2-1.0", "liblzma5", "libexpat1", "libffi8")


class CouldNotMake(RuntimeError):
    """An image could not be made: no Debian, no archive, or no package of that kernel."""


def make_image(rules: str, folder: Path) -> GuestImage:
    """The image of a kernel, made unless it is there already. Raises CouldNotMake."""
    try:
        return open_image(folder)
    except ValueError:
        pass
    for command in ("apt-get", "apt-cache", "dpkg-deb"):
        if shutil.which(command) is None:
            raise CouldNotMake(f"{command} is not there: images are made of Debian's packages, on Debian or Ubuntu")
    with tempfile.TemporaryDirectory() as place:
        root, debs = Path(place) / "root", Path(place) / "debs"
        debs.mkdir()
        kernel, python = kernel_package(rules), python_version()
        names = [kernel, f"{python}-minimal", f"lib{python}-minimal", f"lib{python}-stdlib", *LIBRARIES]
        run(["apt-get", "download", "--quiet", *names], debs)
        for deb in sorted(debs.iterdir()):
            run(["dpkg-deb", "--extract", str(deb), str(root)], debs)
        (root / "usr/bin/python3").unlink(missing_ok=True)
        (root / "usr/bin/python3").symlink_to(python)
        boot = root / "boot"
        folder.mkdir(parents=True, exist_ok=True)
        release = kernel.removeprefix("linux-image-")
        image = GuestImage(folder, release, rules)
        shutil.copyfile(boot / f"vmlinuz-{release}", image.kernel)
        for part in ("boot", "usr/share", "usr/lib/modules", "lib/modules"):
            shutil.rmtree(root / part, ignore_errors=True)
        image.files.write_bytes(gzip.compress(archive(entries_of(root)), compresslevel=6))
        describe_image(image)
    return image


def kernel_package(rules: str) -> str:
    """The package of the newest build of a kernel, "linux-image-6.1.0-50-cloud-amd64"."""
    for meta in (KERNEL_PACKAGES[rules], RELEASE_PACKAGE):
        for name in dependencies(meta):
            if re.fullmatch(rf"linux-image-{re.escape(rules)}\.\S+-cloud-amd64", name):
                return name
    raise CouldNotMake(f"the archive has no kernel {rules} (neither {KERNEL_PACKAGES[rules]} nor {RELEASE_PACKAGE})")


def python_version() -> str:
    """The release's Python, "python3.11"."""
    for name in dependencies("python3-minimal"):
        if re.fullmatch(r"python3\.\d+-minimal", name):
            return name.removesuffix("-minimal")
    raise CouldNotMake("the archive has no python3-minimal")


def dependencies(package: str) -> list[str]:
    """The packages that one depends on, as far as the archive knows it."""
    done = subprocess.run(["apt-cache", "depends", package], capture_output=True, text=True, check=False)
    return re.findall(r"Depends: (\S+)", done.stdout)


def entries_of(root: Path) -> dict[str, Entry]:
    """What lies under a folder, for an archive."""
    entries = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            data = os.readlink(path).encode()
        elif stat.S_ISREG(mode):
            data = path.read_bytes()
        else:
            data = b""
        entries[str(path.relative_to(root))] = Entry(mode, data)
    return entries


def run(command: list[str], folder: Path) -> None:
    """Run a command in a folder. Raises CouldNotMake with what it said."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CouldNotMake(f"{' '.join(command[:3])}: {done.stderr.strip() or done.stdout.strip()}")
