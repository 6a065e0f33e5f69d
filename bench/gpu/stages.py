"""The stages of ``python -m bench.gpu``: each starts processes, keeps their log and judges them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "ROOT",
    "Outcome",
    "Session",
    "bench",
    "build",
    "device",
    "printed",
    "recipe",
    "sanitizer",
    "tests",
]

ROOT = Path(__file__).resolve().parents[2]
TIMED_OUT = -1
ACCURACY = 0.98  # of LeNet-5 on the digits, as in CI
CRASHES = 5  # how often the benchmarks are started again


class Outcome(NamedTuple):
    """How a stage ended: passed, failed or timed out, and a line about it."""

    status: str
    detail: str


class Session:
    """Where results go, and how processes run."""

    def __init__(self, out: Path, quick: bool, only: str = "") -> None:
        self.out, self.quick, self.only = out, quick, only
        self.logs: set[str] = set()
        self.results, self.settings = out / "bench.jsonl", out / "settings.json"
        folders = [str(ROOT / "python"), str(ROOT), os.environ.get("PYTHONPATH", "")]
        # Tools that pip installed lie beside the interpreter.
        path = [str(Path(sys.executable).parent), "/usr/local/cuda/bin", os.environ["PATH"]]
        self.environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, folders)),
            "PATH": os.pathsep.join(path),
            "MPLBACKEND": "Agg",
        }

    def call(
        self, log: str, seconds: float, *words: object, echo: bool = False, **environment: str
    ) -> int:
        """Run a command with its output in a log; its exit status, or TIMED_OUT.

        Args:
            log: the file's name; the first command of a session empties it.
            seconds: after these the command and its children are killed.
            words: the command.
            echo: show the output as well. Default: False.
            environment: variables on top of the session's.
        """
        command = [str(word) for word in words]
        print(f"  {' '.join(command)}", file=sys.stderr, flush=True)
        mode = "a" if log in self.logs else "w"
        self.logs.add(log)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        late = threading.Event()

        def kill() -> None:  # its children too: pytest's workers, ninja's compilers
            late.set()
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(max(seconds, 1.0), kill)
        timer.start()
        try:
            with process, (self.out / log).open(mode, encoding="utf-8") as file:
                for line in process.stdout or ():
                    file.write(line)
                    if echo:
                        print(f"  {line}", end="", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            kill()
            raise
        finally:
            timer.cancel()
        return TIMED_OUT if late.is_set() else process.returncode

    def lines(self) -> list[str]:
        """What the benchmarks of this session have written so far."""
        if "bench.log" not in self.logs or not self.results.exists():
            return []
        return self.results.read_text(encoding="utf-8").splitlines()

    def tail(self, log: str) -> str:
        """The last line of a log, cut to what a table holds."""
        lines = (self.out / log).read_text(encoding="utf-8").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "no output")
        return last.replace("|", "/")[-160:]


def printed(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """What a command prints; nothing if it fails or is not there."""
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def device(session: Session) -> dict[str, str]:
    """The first GPU as nvidia-smi names it, and the compiler; no entry for what is unknown."""
    fields = {
        "gpu": "name",
        "compute capability": "compute_cap",
        "driver": "driver_version",
        "gpu memory": "memory.total",
        "largest SM clock": "clocks.max.sm",
        "largest memory clock": "clocks.max.memory",
    }
    query = f"--query-gpu={','.join(fields.values())}"
    command = ["nvidia-smi", query, "--format=csv,noheader", "--id=0"]
    text = printed(command, session.environment)
    known = [word.strip() for word in text.split(",")] if text else []
    found = dict(zip(fields, known, strict=False))
    if version := printed(["nvcc", "--version"], session.environment):
        found["nvcc"] = version.splitlines()[-2]
    return found


# build


def build(session: Session, seconds: float) -> Outcome:
    """The libraries, in place, with device code for this GPU only."""
    capability = device(session).get("compute capability", "unknown: no GPU")
    if not capability.startswith(("8.", "9.0")):
        return Outcome("failed", f"no code for compute capability {capability}")
    arch = "90a-real" if capability == "9.0" else "80-real"
    end = time.monotonic() + seconds
    folder = session.out / "build"
    configure = session.call(
        "build.log",
        seconds,
        "cmake",
        *("-S", ROOT, "-B", folder, "-G", "Ninja"),
        *(f"-DPython_EXECUTABLE={sys.executable}", "-DFASTDL_CUDA=ON", "-DFASTDL_SIMT=ON"),
        *(f"-DFASTDL_CUDA_ARCHS={arch}", f"-DFASTDL_CUDA_JOBS={os.cpu_count()}"),
        "-DFASTDL_WERROR=OFF",  # another host compiler may warn of other things
    )
    if configure:
        return Outcome("failed", session.tail("build.log"))
    targets = ("--target", "all", "cuda_programs")
    code = session.call("build.log", end - time.monotonic(), "cmake", "--build", folder, *targets)
    if code == TIMED_OUT:
        return Outcome("timed out", session.tail("build.log"))
    return Outcome("failed" if code else "passed", "see build.log" if code else arch)


# tests


def tests(session: Session, seconds: float) -> Outcome:
    """What tests/ holds for CUDA; the smaller files first."""
    programs = session.out / "build/tests/simt/gpu/cuda_programs"
    files = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/test_cuda_*.py"))
    suites = {"models and runtime": files, "ops": ["tests/test_ops.py", "-k", "cuda"]}
    if session.quick:
        suites = {"ops": ["tests/test_ops.py", "-k", "cuda and relu"]}
    # The tests of the runtime look at the memory of the whole device: they run alone.
    workers = ["-n", "8"] if importlib.util.find_spec("xdist") and not session.quick else []
    known = {"FASTDL_CUDA_PROGRAMS": str(programs)} if programs.exists() else {}
    end, status, told = time.monotonic() + seconds, "passed", []
    for name, words in suites.items():
        if not words:
            continue
        report = session.out / f"tests-{name.replace(' ', '-')}.xml"
        report.unlink(missing_ok=True)
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        pytest += workers if name == "ops" else []
        left = end - time.monotonic()
        code = session.call("tests.log", left, *pytest, f"--junitxml={report}", *words, **known)
        if code:
            status = "timed out" if code == TIMED_OUT else "failed"
        told.append(f"{name}: {_counts(report) if report.exists() else session.tail('tests.log')}")
    return Outcome(status, "; ".join(told))


def _counts(report: Path) -> str:
    suite = ET.parse(report).getroot().find("testsuite")
    assert suite is not None
    kinds = {kind: int(suite.get(kind, 0)) for kind in ("failures", "errors", "skipped")}
    passed = int(suite.get("tests", 0)) - sum(kinds.values())
    failed = kinds["failures"] + kinds["errors"]
    return f"{passed} passed, {failed} failed, {kinds['skipped']} skipped"


# sanitizer


def sanitizer(session: Session, seconds: float) -> Outcome:
    """Every op on small inputs under compute-sanitizer, or under the host model's own checks."""
    program = shutil.which("compute-sanitizer", path=session.environment["PATH"])
    modelled = "FASTDL_CUDA_LIBRARY" in os.environ
    if not program and not modelled:
        return Outcome("failed", "compute-sanitizer was not found")
    tools = {"memcheck": 3, "racecheck": 3, "synccheck": 1, "initcheck": 1}  # shares of the time
    if not program:
        tools = {"host model": 1}
    end, told, statuses = time.monotonic() + seconds, [], {"passed"}
    while tools:
        tool, share = next(iter(tools.items()))
        left = (end - time.monotonic()) * share / sum(tools.values())
        del tools[tool]
        watch = [program, "--tool", tool, "--error-exitcode", "9"] if program else []
        # Less than what is allowed: the report at the end takes its time too.
        driver = [sys.executable, "-m", "bench.gpu.sanitize", "--seconds", f"{0.7 * left:.0f}"]
        driver += ["--only", "relu"] if session.quick else []
        log = f"sanitizer-{tool.replace(' ', '-')}.log"
        # Without the allocator's cache every block has its exact size.
        code = session.call(log, left, *watch, *driver, FASTDL_CUDA_CACHE="0")
        statuses.add({0: "passed", TIMED_OUT: "timed out"}.get(code, "failed"))
        words = {0: "clean", 9: "found errors", TIMED_OUT: "timed out"}.get(code, f"status {code}")
        told.append(f"{tool} {words}")
    worst = next(s for s in ("failed", "timed out", "passed") if s in statuses)
    return Outcome(worst, ", ".join(told))


# recipe


def recipe(session: Session, seconds: float) -> Outcome:
    """LeNet-5 on the GPU; its accuracy counts unless this is quick."""
    folder = session.out / "lenet5"
    words = ["run", "lenet5", "--device", "cuda", "--out", folder]
    words += ["--epochs", 1] if session.quick else []
    code = session.call("recipe.log", seconds, sys.executable, "-m", "fastdl", *words)
    if code:
        status = "timed out" if code == TIMED_OUT else "failed"
        return Outcome(status, session.tail("recipe.log"))
    figures = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    accuracy = float(figures["test_accuracy"])
    passed = session.quick or accuracy >= ACCURACY
    detail = f"accuracy {accuracy:.4f} in {figures['wall_time_seconds']:.1f} s on the digits"
    return Outcome("passed" if passed else "failed", detail)


# benchmarks


def bench(session: Session, seconds: float) -> Outcome:
    """The cases, started again after one that brings the process down."""
    session.results.unlink(missing_ok=True)
    session.settings.unlink(missing_ok=True)
    end = time.monotonic() + seconds
    words = ["--settings", session.settings, "--filter", session.only]
    words += ["--quick"] if session.quick else []
    code, crashes = 1, 0
    while crashes <= CRASHES:
        left = end - time.monotonic()
        told = ["--seconds", f"{max(0.0, left - 15):.0f}"]  # the last case may take its time
        driver = [sys.executable, "-m", "bench.gpu.measure", session.results]
        before = len(session.lines())
        code = session.call("bench.log", left, *driver, *words, *told, echo=True)
        if code in (0, TIMED_OUT) or len(session.lines()) == before:
            break
        crashes += 1
    statuses = [row["status"] for row in map(json.loads, session.lines())]
    counts = {s: statuses.count(s) for s in dict.fromkeys(statuses) if s != "started"}
    detail = ", ".join(f"{count} {status}" for status, count in counts.items())
    if code == TIMED_OUT:
        return Outcome("timed out", detail)
    wrong = crashes or code or set(counts) - {"ok", "no kernel", "checked"}
    detail = detail or session.tail("bench.log")
    return Outcome("failed" if wrong else "passed", detail)
