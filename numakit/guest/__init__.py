"""A multi-node Linux to ask: an image is booted in QEMU, under software emulation, and runs a Python program."""

from numakit.guest.boot import CouldNotRun, boot
from numakit.guest.image import GuestImage, open_image
from numakit.guest.layout import guest_topology

__all__ = ["CouldNotRun", "GuestImage", "boot", "guest_topology", "open_image"]
