"""An image: a folder with a kernel, a first file system that has Python, and a note on what they are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

KERNEL, FILES, NOTE = "vmlinuz", "initrd.gz", "image.json"


@dataclass(frozen=True)
class GuestImage:
    """What is booted. ``release``: the kernel's own name; ``rules``: the kernel of the kit whose rules it goes by."""

    folder: Path
    release: str
    rules: str

    @property
    def kernel(self) -> Path:
        """The compressed kernel."""
        return self.folder / KERNEL

    @property
    def files(self) -> Path:
        """The first file system."""
        return self.folder / FILES


def open_image(folder: Path | str) -> GuestImage:
    """The image in a folder that ``make oracle`` made. Raises ValueError, with what is missing, for another folder."""
    place = Path(folder)
    missing = [name for name in (KERNEL, FILES, NOTE) if not (place / name).is_file()]
    if missing:
        raise ValueError(f"image={str(folder)!r}: no {' and no '.join(missing)} there; `make oracle` makes images")
    try:
        note = json.loads((place / NOTE).read_text(encoding="utf-8"))
        return GuestImage(place, str(note["release"]), str(note["rules"]))
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"image={str(folder)!r}: {NOTE} does not say release and rules") from None


def describe_image(image: GuestImage) -> None:
    """Write the note of an image beside its kernel and files."""
    note = {"release": image.release, "rules": image.rules}
    (image.folder / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
