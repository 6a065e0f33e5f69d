"""Running an iterator ahead of its consumer in a background thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any, TypeVar

__all__ = ["prefetched"]

T = TypeVar("T")


class _Failure:
    """An exception of the producer on its way to the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


_END = object()


def prefetched(items: Iterator[T], depth: int) -> Iterator[T]:
    """Yield `items`, of which up to `depth` and one in the making are computed ahead.

    An exception of the producer is raised here, after the items before it. When the consumer
    stops early (break, exception, deletion), the thread ends after the item that it is making,
    and is waited for.
    """
    finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
    room = threading.Semaphore(depth)
    stopping = threading.Event()

    def produce() -> None:
        try:
            for item in items:
                finished.put(item)
                room.acquire()
                if stopping.is_set():
                    return
            finished.put(_END)
        except BaseException as error:
            finished.put(_Failure(error))

    thread = threading.Thread(target=produce, name="fastdl-prefetch", daemon=True)
    thread.start()
    try:
        while (item := finished.get()) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            room.release()
            yield item
    finally:
        stopping.set()
        room.release()
        thread.join()
