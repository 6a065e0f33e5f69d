"""Every test starts from the same state, whatever ran before it."""

import signal
from collections.abc import Callable, Iterator

import pytest

import fastdl

# A shell starts background jobs with SIGINT ignored, and children inherit that: the tests of Ctrl-C
# would then wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


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
