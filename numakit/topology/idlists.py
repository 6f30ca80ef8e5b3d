"""The two ways in which sysfs writes sets of numbers: lists ("0-3,8") and masks ("00000000,0000010f").

Both are read from untrusted files: no range is spelt out before its ends are known to be below `limit`.
"""

from collections.abc import Iterable


def parse_list(text: str, limit: int) -> tuple[int, ...]:
    """Numbers of a kernel list, ascending; ValueError if it is malformed or one is not below `limit`."""
    numbers: set[int] = set()
    stripped = text.strip()
    for part in stripped.split(",") if stripped else ():
        first, dash, last = part.partition("-")
        low = decimal(first, limit)
        high = decimal(last, limit) if dash else low
        if high < low:
            raise ValueError(f"the range {part!r} runs backwards")
        numbers.update(range(low, high + 1))
    return tuple(sorted(numbers))


def parse_mask(text: str, limit: int) -> tuple[int, ...]:
    """Numbers of the bits set in a kernel mask: hexadecimal words, the highest first, commas between them."""
    digits = text.strip().replace(",", "")
    if not digits or digits.strip("0123456789abcdefABCDEF"):
        raise ValueError(f"{shortened(text)!r} is not a hexadecimal mask")
    digits = digits.lstrip("0")
    if len(digits) * 4 > limit + 3:
        raise ValueError(f"the mask has bits of {limit} and above; allowed are 0 to {limit - 1}")
    # Words before the last may be narrower than 32 bits (a mask for 48 CPUs begins with four digits), never
    # the others, so that leaving out the commas gives the number.
    mask = int(digits or "0", 16)
    if mask >> limit:
        raise ValueError(f"the mask has bits of {limit} and above; allowed are 0 to {limit - 1}")
    return tuple(bit for bit in range(mask.bit_length()) if mask >> bit & 1)


def decimal(text: str, limit: int) -> int:
    """A plain decimal number below `limit`: no sign, no blank, no underscore, no digits of other scripts."""
    if not text or len(text) > 20 or not (text.isascii() and text.isdigit()):
        raise ValueError(f"{shortened(text)!r} is not a decimal number")
    number = int(text)
    if number >= limit:
        raise ValueError(f"{number} is too large; allowed are 0 to {limit - 1}")
    return number


def format_list(numbers: Iterable[int]) -> str:
    """The numbers as the kernel writes them: "0-3,8"; "" if there are none."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(f"{low}-{high}" if low != high else f"{low}" for low, high in runs)


def shortened(text: str) -> str:
    """At most 40 characters of it, for an error message."""
    return text if len(text) <= 40 else text[:37] + "..."
