"""From answers to sentences. ``result``: what a call returned. ``entries``, ``returns``: a text for each row of the
contract.

A row's text may only use the facts that were noted where the kernel decided; it adds what they mean and what can be
done.
"""

from numakit.explain.result import MigrationResult, Result

__all__ = ["MigrationResult", "Result"]
