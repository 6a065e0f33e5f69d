"""`fastdl.compile` and the object that it returns."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from contextlib import suppress
from threading import RLock
from typing import Any, Self

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autograd import is_grad_enabled, no_grad
from fastdl.compiler.guard import Guard
from fastdl.compiler.lower import Folded, lower
from fastdl.compiler.plan import Plan
from fastdl.compiler.report import Report, describe_plan, profile_plan
from fastdl.compiler.trace import Tracer, Untraceable, trace
from fastdl.errors import ArgumentError, Error
from fastdl.nn.module import Module
from fastdl.symbolic import STAND_INS

__all__ = ["CompiledModel", "compile"]

_PLAN_LIMIT = 8  # plans hold memory: that of all values between input and output
_PLAIN = (type(None), bool, int, float, str, _core.dtype, _core.device)


def compile(model: Module) -> CompiledModel:  # noqa: A001 - as in PyTorch
    """Make a fast version of `model` for inference, on the CPU.

    Args:
        model: any module. It stays as it is, is shared, and may go on changing.

    Returns:
        A callable with the signature of the model. Each new combination of shapes is compiled at
        its first call. Results have no gradient, and differ from those of `model` by rounding, as
        batch norm is folded into the weights.

    In training mode, where a gradient of an input is wanted, and where the model does something
    that cannot be compiled, the model itself runs; `explain()` says why.

    Raises:
        ArgumentError: `model` is no module.
    """
    if not isinstance(model, Module):
        raise ArgumentError(
            "compile",
            f"expected a Module, got {model!r}"[:200],
            remedy="put the function into the forward of a Module",
        )
    return CompiledModel(model)


class CompiledModel:
    """What `fastdl.compile` returns. Attributes that it does not have are those of the model.

    Threads may share it; their calls take turns.
    """

    def __init__(self, model: Module) -> None:
        self._model = model
        self._lock = RLock()
        self.reset()

    @property
    def model(self) -> Module:
        """The model that was compiled."""
        return self._model

    def __fastdl_guarded__(self) -> Module:
        """What another compiled model has to watch in this one: plans come and go."""
        return self._model

    def reset(self) -> None:
        """Forget everything that was compiled, as after a change that the guard cannot see."""
        with self._lock:
            # Of a model that changes itself: it would be traced in vain after each change.
            self._refusal = ""
            self._newest: Plan | str = "nothing is compiled before the first call"
            self._drop_plans()

    def _drop_plans(self) -> None:
        self._guard: Guard | None = None
        self._plans: OrderedDict[Hashable, Plan | str] = OrderedDict()
        self._folded: Folded = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        leaves: list[Tensor] = []
        key = None if self.model.training else _key(args, kwargs, leaves)
        # The ops of the model itself can be part of a capture that is being made.
        if key is not None and not _wants_gradient(leaves) and not _core.is_capturing():
            with self._lock:
                plan = self._plan_for(key, args, kwargs, leaves)
                if isinstance(plan, Plan):
                    # The model raises it again, with the layer's path.
                    with suppress(Error):
                        return plan(leaves)
        return self.model(*args, **kwargs)

    def explain(self) -> Report:
        """What ran at the newest compiled shape: its steps, what was fused; or why nothing was."""
        with self._lock:
            if self.model.training:
                return Report([], ["eager: the model is in training mode; call eval()"])
            if isinstance(self._newest, str):
                return Report([], [f"eager: {self._newest}"])
            return describe_plan(self._newest)

    def profile(self, *args: Any, repeats: int = 20, **kwargs: Any) -> Report:
        """Time each step on these inputs.

        The steps run one by one from Python, which adds about a microsecond to each.

        Args:
            *args: as the model takes them.
            **kwargs: likewise.
            repeats: how often; the times are medians. Default: 20.
        """
        leaves: list[Tensor] = []
        key = None if self.model.training else _key(args, kwargs, leaves)
        if key is None:
            return self.explain()
        with self._lock, no_grad():
            plan = self._plan_for(key, args, kwargs, leaves)
            if isinstance(plan, str):
                return Report([], [f"eager: {plan}"])
            return profile_plan(plan, leaves, repeats)

    def _plan_for(
        self, key: Hashable, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Tensor]
    ) -> Plan | str:
        if self._guard is None or not self._guard.holds():
            self._drop_plans()
            self._guard = Guard(self.model)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._compile(self._guard, args, kwargs, leaves)
            if len(self._plans) > _PLAN_LIMIT:
                self._plans.popitem(last=False)
        else:
            self._plans.move_to_end(key)
        self._newest = plan
        return plan

    def _compile(
        self, guard: Guard, args: tuple[Any, ...], kwargs: dict[str, Any], leaves: list[Tensor]
    ) -> Plan | str:
        """A plan, or why there is none."""
        if guard.obstacle or self._refusal:
            return guard.obstacle or self._refusal
        paths = {id(module): path for path, module in self.model.named_modules()}

        def call(stand_ins: list[Any]) -> Any:
            own_args, own_kwargs = _with_tensors((args, kwargs), iter(stand_ins))
            return self.model(*own_args, **own_kwargs)

        graph, reason = None, ""
        with guard.undoing() as changes:
            try:
                graph = trace(call, leaves, Tracer(paths))
            except Untraceable as refusal:
                reason = str(refusal)
            except Exception as error:
                # If it is the model's own, the eager call that follows raises it with the path.
                reason = f"tracing raised {type(error).__name__}: {error}"
        if changes.made:
            self._refusal = reason = reason or "forward changes the model, an attribute or a tensor"
        elif changes.drawn:
            reason = reason or "forward draws random numbers"
        if graph is None or reason:
            return reason
        guard.watch(graph.constants())
        return Plan(lower(graph, self._folded))

    # what belongs to the model

    def __getattr__(self, name: str) -> Any:
        if name == "_model":  # not set yet, as while copying
            raise AttributeError(name)
        return getattr(self._model, name)

    def train(self, mode: bool = True) -> Self:
        """As `Module.train`; in training mode the model itself runs."""
        self.model.train(mode)
        return self

    def eval(self) -> Self:
        """As `Module.eval`."""
        return self.train(False)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledModel:
        return CompiledModel(copy.deepcopy(self.model, memo))

    def __repr__(self) -> str:
        return f"compiled {self.model!r}"


def _wants_gradient(tensors: list[Tensor]) -> bool:
    return is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def _key(args: Any, kwargs: Any, leaves: list[Tensor]) -> Hashable:
    """What a plan is made for: arguments like these, and a precision; None if it can be no key."""
    signature = _signature((args, kwargs), leaves)
    return None if signature is None else (_core._autocast_state(), signature)


def _signature(structure: Any, leaves: list[Tensor]) -> Hashable:
    """What a plan is made for, with the tensors appended to `leaves`; None if it can be no key."""
    if isinstance(structure, Tensor):
        if type(structure) in STAND_INS:
            return None  # another trace goes through this model
        leaves.append(structure)
        return structure.shape, structure.stride(), structure.dtype, structure.device
    kind = type(structure)
    if kind is tuple or kind is list:
        parts = [_signature(item, leaves) for item in structure]
    elif kind is dict:
        parts = [_signature(item, leaves) for item in structure.values()]
        parts += structure
    else:
        return (kind, structure) if isinstance(structure, _PLAIN) else None
    return None if None in parts else (kind, *parts)


def _with_tensors(structure: Any, tensors: Iterator[Any]) -> Any:
    """`structure` with its tensors replaced, in the order in which `_signature` finds them."""
    if isinstance(structure, Tensor):
        return next(tensors)
    if isinstance(structure, tuple | list):
        return type(structure)(_with_tensors(item, tensors) for item in structure)
    if isinstance(structure, dict):
        return {key: _with_tensors(item, tensors) for key, item in structure.items()}
    return structure
