"""Every test starts from the same state, whatever ran before it."""

import os
import signal
import zlib
from collections.abc import Callable, Iterator

import pytest

import fastdl

# A shell starts background jobs with SIGINT ignored, and children inherit that: the tests of Ctrl-C
# would then wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """FASTDL_TEST_SHARE=3: of tests with parameters every third, chosen by name; of others all."""
    share = int(os.environ.get("FASTDL_TEST_SHARE", "1"))
    left_out = [
        item
        for item in items
        if hasattr(item, "callspec") and zlib.crc32(item.nodeid.encode()) % share
    ]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        out = set(left_out)
        items[:] = [item for item in items if item not in out]


@pytest.fixture(autouse=True)
def fresh_state() -> Iterator[None]:
    threads = fastdl.get_num_threads()
    fastdl.manual_seed(0)
    yield
    fastdl.set_num_threads(threads)
    fastdl.set_grad_enabled(True)


@pytest.fixture
def threads() -> Callable[[int], None]:
    """Sets the number of threads; fresh_state puts it back after the test."""
    return fastdl.set_num_threads
