"""System calls: fetch the arguments, check them in the kernel's order, call down, report."""

# What serves in newer kernels registers itself.
from numakit.migration import kernel_6_1, kernel_6_12
from numakit.syscalls import kernel_move_pages, move_pages_in_chunks

__all__ = ["kernel_6_1", "kernel_6_12", "kernel_move_pages", "move_pages_in_chunks"]
