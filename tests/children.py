"""Interpreters of their own, for what is decided at the start of a process."""

import os
import subprocess
import sys
import textwrap


def run_child(source: str, **environment: str) -> str:
    """What a fresh interpreter prints that runs `source` with these environment variables.

    Under the host model work on a stream is done as late as it may be, so that a wait that is
    missing shows as a wrong value.
    """
    settings = {"FASTDL_CUDA_CACHE": "1", "SIMT_STREAMS": "late"} | environment
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import fastdl\nfrom fastdl import cuda\n" + textwrap.dedent(source),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | settings,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
