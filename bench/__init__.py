"""Benchmarks against other libraries: ``python -m bench`` (or ``fastdl bench``) in a source tree.

Every case checks that all libraries agree before it is timed. One file per subject, each with a
function `cases(short)`; `timing.py` times, `report.py` shows, `results/` keeps what was measured.
"""
