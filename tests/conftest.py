"""How hypothesis draws: the same examples on every run, many more of them for `make test-long`."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("short", derandomize=True, deadline=None, database=None)
settings.register_profile("long", settings.get_profile("short"), max_examples=2000)
settings.load_profile("long" if os.environ.get("NUMAKIT_LONG") == "1" else "short")
