"""What the README shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

from fastdl import nn

PADDING = ("Zero", "Constant", "Reflection", "Replication", "Circular")
README_FILE = Path(__file__).resolve().parent.parent / "README.md"
README = README_FILE.read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_tour(tmp_path, monkeypatch, capsys):
    (tour,) = blocks("python")
    monkeypatch.chdir(tmp_path)
    exec(compile(tour, "README.md", "exec"), {"__name__": "tour"})
    shown = capsys.readouterr().out
    assert "Conv2d" in shown  # the summary
    assert "dimension 1 of weight is 3, but channels / groups is 1 / 1 = 1" in shown  # the error
    assert "try:" in shown
    assert (tmp_path / "model.safetensors").is_file()


def test_the_quick_start_is_two_commands():
    marked = README.partition("<!-- quick start")[2].partition("```sh\n")[2].partition("```")[0]
    assert marked.splitlines() == [
        "pip install '.[recipes]' && fastdl run lenet5",
        "pip install '.[test]' && pytest",
    ]


def test_links_lead_somewhere():
    root = Path(__file__).resolve().parent.parent
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert not [link for link in links if not (root / link).exists()]


def test_the_page_of_functions_is_the_table_s():
    """docs/ops.md; python tools/ops_page.py writes it anew."""
    done = subprocess.run(
        [sys.executable, "tools/ops_page.py", "--check"],
        cwd=README_FILE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_of_layers_has_every_layer():
    page = (README_FILE.parent / "docs" / "layers.md").read_text(encoding="utf-8")
    dimensions = {f"{k}Pad{d}d" for k in PADDING for d in (1, 2, 3)}  # "`ZeroPad1d` to `3d`"
    beside = {"Module", "Parameter", "utils"}
    named = set(re.findall(r"`(\w+)`", page)) | dimensions | beside
    assert not set(nn.__all__) - named
    classes = {name for name in named if name[0].isupper()}
    assert not {name for name in classes if not hasattr(nn, name)}
