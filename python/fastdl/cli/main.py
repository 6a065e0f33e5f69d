"""Parsing the command line, and turning errors into messages and exit codes.

Exit codes: 0 success, 2 an error of the user or of the surroundings, 130 interrupted; `bench`
passes on that of the benchmarks. Errors that nobody foresaw keep their traceback.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import fastdl
from fastdl.cli import bench, catalogue, doctor, run
from fastdl.errors import Error

__all__ = ["main"]

Command = Callable[[argparse.Namespace], int]

_EXAMPLES = """\
examples:
  fastdl run lenet5                    train LeNet-5 on handwritten digits
  fastdl run lenet5 --help             the options of a recipe
  fastdl list                          models and recipes
  fastdl info lenet5                   what a model is, layer by layer
  fastdl bench --help                  compare with PyTorch
  fastdl doctor                        what fastdl found on this machine
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the words after ``fastdl``. Default: those of this process.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(argv)
    command: Command = options.command
    try:
        return command(options)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of a pipe (head, less) left; there is nobody to tell. Closing standard error
        # keeps the interpreter from complaining when it flushes standard output at its end.
        sys.stderr.close()
        return 2
    except (Error, OSError) as error:
        print(f"fastdl: error: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastdl",
        description="Deep learning on hand-written kernels: train, inspect and measure models.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"fastdl {fastdl.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(name: str, summary: str, example: str, function: Command) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"example:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(command=function)
        return command

    run.add_arguments(
        add("run", "train a model by a recipe", "fastdl run lenet5 --out runs/a", run.command)
    )
    add("list", "list models and recipes", "fastdl list", catalogue.list_command)
    catalogue.add_info_arguments(
        add("info", "describe a model", "fastdl info lenet5", catalogue.info_command)
    )
    bench.add_arguments(
        add("bench", "run the benchmarks of a source tree", "fastdl bench ops", bench.command)
    )
    add("doctor", "show what fastdl found on this machine", "fastdl doctor", doctor.command)
    return parser
