"""`python -m numakit` is the command `numakit`."""

from numakit.cli import main

if __name__ == "__main__":
    main()
