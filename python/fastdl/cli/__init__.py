"""The command line: ``fastdl run | list | info | bench | doctor``."""

from fastdl.cli.main import main

__all__ = ["main"]
