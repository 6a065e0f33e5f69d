"""The programs of the host model of CUDA, read from their sources: names, and planted faults."""

import re
from pathlib import Path

import pytest

SIMT = Path(__file__).parent / "simt"


def planted(folder):
    """(name of the program, its file, {line: kinds of fault} of the kernel before it)."""
    found = []
    for path in sorted((SIMT / folder).glob("*.cu")):
        faults = {}
        for number, line in enumerate(path.read_text().splitlines(), 1):
            kinds = re.findall(r"FAULT: ([a-z-]+)", line)
            if kinds:
                faults[number] = kinds
            program = re.match(r"PROGRAM\((\w+)\)", line)
            if program:
                found.append((program[1], path, faults))
                faults = {}
    return found


FAULTS = planted("faults")
WRAPPERS = planted("wrappers")


def parameters(programs):
    return [pytest.param(*p, id=p[0]) for p in programs]
