"""What is written in a page.

Contents are a token: a number that each write renews, so that "contents follow the page" can be seen and a lost write
is seen too. Bytes are kept aside, under their token, only where a call reads or writes user memory.
"""

from __future__ import annotations

from numakit.abi import PAGE_SIZE
from numakit.machine.state import MachineState

ZEROES = bytes(PAGE_SIZE)


def write_contents(m: MachineState, page: int, image: bytes | None = None) -> None:
    """A write: the page gets a new token; ``image`` are the bytes behind it, where somebody will read them."""
    token = m.clock[1] + 1
    m.set(m.clock, 1, token)
    m.set(m.contents, page, token)
    if image is not None:
        m.put(("bytes", token), image)


def page_bytes(m: MachineState, page: int) -> bytes:
    """The bytes in a page; zeroes where nobody wrote any that are read."""
    image: bytes = m.table.get(("bytes", m.contents[page]), ZEROES)
    return image


def replace_bytes(image: bytes, at: int, word: bytes) -> bytes:
    """A page's bytes with some of them replaced."""
    return image[:at] + word + image[at + len(word) :]
