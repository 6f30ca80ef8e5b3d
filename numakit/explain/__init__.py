"""From answers to sentences. ``result``: what a call returned. ``entries``, ``returns``: a text for each row of the
contract. ``causes``: all that a number alone can mean, on each kernel, and ``number``, which looks it up.

A row's text may only use the facts that were noted where the kernel decided; it adds what they mean and what can be
done.
"""

from numakit.explain.number import Explanation, explain_number
from numakit.explain.result import MigrationResult, Result

__all__ = ["Explanation", "MigrationResult", "Result", "explain_number"]
