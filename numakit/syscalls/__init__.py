"""System calls: fetch the arguments, check them in the kernel's order, call down, report."""
