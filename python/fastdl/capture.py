"""`capture`: run a function once, and from then on its kernels alone, from C++."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, CaptureError

__all__ = ["CapturedFunction", "capture"]

_MISFIT = object()  # the shapes were those of the recording, the state was not


def capture(function: Callable[..., Any], *, strict: bool = True) -> CapturedFunction:
    """A callable that does what `function` does, with one call from Python instead of one per op.

    The first call with inputs of certain shapes and dtypes runs `function`, the second runs and
    records it, and from the third on the recorded kernels run on copies of the inputs. Other
    shapes, dtypes, modes of gradients or autocast, or another `function.training` run `function`
    itself; if they come twice in a row, they are recorded instead.

    What is recorded is what the ops do to tensors, so `function` should depend on nothing else:
    its Python code, prints and conditions are those of the second call. State has to be changed
    in place, as optimisers and batch norm do. Dropout draws anew in every call, and optimisers of
    `fastdl.optim` read their learning rate anew.

    Args:
        function: takes tensors and returns them, also in tuples, lists and dicts. On a GPU its
            kernels are started together, as CUDA graphs.
        strict: raise CaptureError where `function` cannot be captured; else run it eagerly for
            ever. Default: True.

    Returns:
        A `CapturedFunction`. The tensors that it returns are outside the graph, and the next call
        overwrites them: clone what should stay.

    Raises:
        CaptureError: while being recorded the function reads values of a tensor, copies between
            devices, or changes the stream.
        IndexRangeError: on a GPU, of an earlier call that was answered by the recording; see
            docs/capture.md.

    Example::

        @fastdl.capture
        def step(x, y):
            loss = F.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss
    """
    return CapturedFunction(function, strict=strict)


class CapturedFunction:
    """What `capture` returns.

    Attributes:
        function: the function that it stands for.
        broken: why it cannot be captured, where `strict` is not set; else "".
        replays: how many calls the recording has answered.
    """

    def __init__(self, function: Callable[..., Any], *, strict: bool = True) -> None:
        self.function = function
        self.strict = strict
        self.broken = ""
        self.replays = 0
        # What the last call was like, unless it was a replay.
        self._last: Any = None
        self._recording: _core.Capture | None = None
        self._outputs: Any = None
        self._training: Any = None

    def reset(self) -> None:
        """Forget the recording; the next calls make a new one."""
        self._last = self._recording = self._outputs = None

    def __call__(self, *inputs: Tensor) -> Any:
        recording = self._recording
        if recording is not None and self._training == getattr(self.function, "training", None):
            fits = recording.replay_on(inputs)
            if fits:
                self.replays += 1
                self._last = None
                return self._outputs
            if fits is False:  # the shapes are the same, the state is not
                if self._last is _MISFIT:  # again, so it was no turn of the caller's own
                    self.reset()
                self._last = _MISFIT
                return self.function(*inputs)
        return self._run(inputs)

    def _run(self, inputs: tuple[Tensor, ...]) -> Any:
        """The function itself, recorded where inputs like these came the last time too."""
        signature = self._signature_of(inputs)
        if signature is None or self.broken or _core.is_capturing():
            return self.function(*inputs)
        if signature != self._last:
            self._last = signature
            return self.function(*inputs)
        self._recording = self._outputs = None  # its memory first
        static = tuple(given.detach().clone() for given in inputs)
        recording = _core.Capture(static, self.strict)
        recording.begin()
        try:
            outputs = _detached(self.function(*static))
        finally:
            recording.end()
        self.broken = recording.broken
        if not self.broken:
            self._recording, self._outputs, self._last = recording, outputs, None
            self._training = getattr(self.function, "training", None)
        return outputs

    def _signature_of(self, inputs: tuple[Any, ...]) -> Any:
        """What has to be the same for a recording to fit; None if none ever will."""
        for given in inputs:
            if not isinstance(given, Tensor):
                if not self.strict:
                    return None
                raise ArgumentError("capture", f"an input is a {type(given).__name__}, no Tensor")
            if given.requires_grad:
                return None
        return (
            [(given.shape, given.dtype, given.device) for given in inputs],
            _core.is_grad_enabled(),
            _core._autocast_state(),
            getattr(self.function, "training", None),
        )


def _detached(value: Any) -> Any:
    """Nested outputs with every tensor outside the graph."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, tuple | list):
        return type(value)(_detached(each) for each in value)
    if isinstance(value, dict):
        return {key: _detached(each) for key, each in value.items()}
    if value is None:
        return None
    raise CaptureError(
        "capture",
        f"the function returned a {type(value).__name__}",
        remedy="return tensors, alone or in tuples, lists and dicts",
    )
