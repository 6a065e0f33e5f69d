"""Checks the metrics.json of a finished run against a least accuracy."""

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Prints the accuracy on the test split; exit status 1 below the one asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that `fastdl run --out` filled")
    parser.add_argument("--accuracy", type=float, required=True, help="between 0 and 1")
    args = parser.parse_args()
    metrics = json.loads((args.folder / "metrics.json").read_text(encoding="utf-8"))
    accuracy = float(metrics["test_accuracy"])
    print(f"{args.folder.name}: test accuracy {accuracy:.4f}, at least {args.accuracy} wanted")
    return int(accuracy < args.accuracy)


if __name__ == "__main__":
    sys.exit(main())
