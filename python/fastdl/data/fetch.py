"""Finding the files of a data set on this machine, or downloading them with their checksum."""

from __future__ import annotations

import hashlib
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fastdl.data.idx import read_maybe_gzip
from fastdl.errors import FormatError, UnavailableError
from fastdl.io.atomic import atomic_write
from fastdl.progress import Progress

__all__ = ["FASHION_MNIST", "FileSet", "cache_folder", "dataset_files", "find_all"]

_CHUNK = 1 << 16
_TIMEOUT = 20.0  # seconds without an answer
_SYSTEM_FOLDER = Path("/usr/share/datasets")


class FileSet(NamedTuple):
    """The files of one data set.

    `checksums` maps each file's name to the SHA-256 of its *decompressed* content: mirrors and
    distributions pack the same content with different gzip headers.
    """

    name: str
    url: str
    checksums: dict[str, str]
    package: str


FASHION_MNIST = FileSet(
    "fashion-mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    {
        "train-images-idx3-ubyte.gz": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte.gz": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    },
    "dataset-fashion-mnist",
)


def cache_folder() -> Path:
    """Where downloads go: ``$XDG_CACHE_HOME/fastdl``, by default ``~/.cache/fastdl``."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fastdl"


def dataset_files(files: FileSet, download: bool = True) -> Iterator[tuple[Path, bytes]]:
    """Yield the path and the decompressed, verified content of each file, in order.

    Raises:
        FormatError: a file that was found or downloaded fails its checksum.
        UnavailableError: a file is missing and cannot be downloaded.
    """
    for name, checksum in files.checksums.items():
        path = _find(files, name) or _download(files, name, download)
        content = read_maybe_gzip(path)
        if hashlib.sha256(content).hexdigest() != checksum:
            raise FormatError(
                files.name,
                "the file does not have the content that it should",
                {"file": str(path), "sha256": checksum},
                "delete the file, so that it is fetched again",
            )
        yield path, content


def find_all(files: FileSet) -> list[Path]:
    """Where the files are on this machine; empty unless all are."""
    found = [_find(files, name) for name in files.checksums]
    return [path for path in found if path is not None] if all(found) else []


def _folders(files: FileSet) -> list[Path]:
    """Where files are looked for; each folder itself, or one in it named after the set."""
    own = os.environ.get("FASTDL_DATA")
    roots = ([Path(own)] if own else []) + [cache_folder(), _SYSTEM_FOLDER]
    return [folder for root in roots for folder in (root / files.name, root)]


def _find(files: FileSet, name: str) -> Path | None:
    for folder in _folders(files):
        for candidate in (folder / name, folder / name.removesuffix(".gz")):
            if candidate.is_file():
                return candidate
    return None


def _download(files: FileSet, name: str, allowed: bool) -> Path:
    target = cache_folder() / files.name / name
    if not allowed:
        raise _unavailable(files, name, "downloading is switched off")
    try:
        content = _get(files.url + name, name)
    except (urllib.error.URLError, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise _unavailable(files, name, f"the download failed ({reason})") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as file:
        file.write(content)
    return target


def _get(url: str, name: str) -> bytes:
    chunks = []
    with urllib.request.urlopen(url, timeout=_TIMEOUT) as response:
        total = int(response.headers.get("Content-Length") or 0)
        with Progress(name, total=total, unit="B") as progress:
            while chunk := response.read(_CHUNK):
                chunks.append(chunk)
                progress.advance(len(chunk))
    content = b"".join(chunks)
    if total and len(content) != total:
        raise OSError(f"the connection broke after {len(content)} of {total} bytes")
    return content


def _unavailable(files: FileSet, name: str, problem: str) -> UnavailableError:
    return UnavailableError(
        files.name,
        f"{name} is not on this machine, and {problem}",
        {
            "files": ", ".join(files.checksums),
            "folder": str(cache_folder() / files.name),
            "looked in": ", ".join(str(folder) for folder in _folders(files)),
            "source": files.url,
            "sha256": f"{files.checksums[name]} (of {name.removesuffix('.gz')})",
        },
        f"put the files into the folder above, or on Debian: apt-get install {files.package}",
    )
