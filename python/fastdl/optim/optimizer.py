"""What all optimisers share: groups of parameters, their state, and saving it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, AutogradError, ShapeError

__all__ = ["Optimizer"]


class Optimizer:
    """Base class of optimisers.

    Args:
        params: parameters, or dicts with the key ``"params"`` and options of their own.
        defaults: options of the groups that do not set them.

    Attributes:
        param_groups: dicts with ``"params"`` and the options, which may be changed between steps.
        state: what is remembered of each parameter, by its `id`; made at its first step.

    Raises:
        ArgumentError: no parameters, a parameter in two groups, or an unknown option.
        AutogradError: a parameter that is not a leaf of the graph.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        self._all_params: list[Tensor] = []
        self._changes = 0  # of which tensors there are: captured steps fit no more
        given = list(params)
        if not given:
            raise ArgumentError(type(self).__name__, "got no parameters to optimise")
        groups = given if isinstance(given[0], dict) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add a group: a dict with ``"params"`` and options that differ from the defaults."""
        name = type(self).__name__
        unknown = group.keys() - self.defaults.keys() - {"params"}
        if unknown or "params" not in group:
            raise ArgumentError(
                name,
                f"unknown option {sorted(unknown)[0]!r}" if unknown else "a group has no 'params'",
                {"options": ", ".join(self.defaults)},
            )
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {id(param) for param in self._all_params}
        for param in params:
            if not isinstance(param, Tensor):
                raise ArgumentError(name, f"expected tensors, got {type(param).__name__}")
            if not param.is_leaf:
                raise AutogradError(
                    name,
                    "a parameter is the result of an operation, so it gets no gradient",
                    remedy="optimise the tensor that it was computed from, or its .detach()",
                )
            if id(param) in known:
                raise ArgumentError(name, "a parameter was given twice")
            known.add(id(param))
        options = {**self.defaults, **group, "params": params}
        self._check_options(options)
        self.param_groups.append(options)
        self._all_params += params
        self._changes += 1

    def _check_options(self, options: dict[str, Any]) -> None:
        for key in ("lr", "weight_decay", "eps"):
            if options.get(key, 0.0) < 0.0:
                raise ArgumentError(
                    type(self).__name__, f"{key} is {options[key]}, expected 0 or more"
                )

    def step(self) -> None:
        """Change the parameters that have a gradient, in place."""
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    @staticmethod
    def _new_state(param: Tensor) -> Tensor:
        """Zeros like a parameter, made once even where the step is being captured."""
        zeros: Tensor = _core.uncaptured(lambda: _core.zeros_like(param))
        return zeros

    def _watch_replays(self) -> None:
        """Have the capture that is being made end when parameters or state are other tensors."""
        changes = self._changes
        _core.replay_if(lambda: self._changes == changes)

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters."""
        _core.zero_grads(self._all_params)

    def state_dict(self) -> dict[str, Any]:
        """Options of the groups, and the state of each parameter in the order they were given."""
        return {
            "groups": [
                {key: value for key, value in group.items() if key != "params"}
                for group in self.param_groups
            ],
            "state": [dict(self.state.get(id(param), {})) for param in self._all_params],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue as the optimiser did that gave this state, over parameters like its own.

        Raises:
            ArgumentError: the number of groups or of parameters differs.
            ShapeError: the state of a parameter has another shape.
        """
        groups, states = state_dict["groups"], state_dict["state"]
        if len(groups) != len(self.param_groups) or len(states) != len(self._all_params):
            raise ArgumentError(
                "load_state_dict",
                "the state is that of another set of parameters",
                {
                    "given": f"{len(groups)} groups, {len(states)} parameters",
                    "expected": f"{len(self.param_groups)} groups, "
                    f"{len(self._all_params)} parameters",
                },
                "make the optimizer with the same groups as when it was saved",
            )
        loaded = {}
        for index, (param, saved) in enumerate(zip(self._all_params, states, strict=True)):
            if saved:
                loaded[id(param)] = {
                    key: _fitted(value, param, index) if isinstance(value, Tensor) else value
                    for key, value in saved.items()
                }
        self.state = loaded
        self._changes += 1
        for group, options in zip(self.param_groups, groups, strict=True):
            group.update(
                (key, tuple(value) if isinstance(value, list) else value)
                for key, value in options.items()
                if key in self.defaults
            )

    def __repr__(self) -> str:
        groups = "".join(
            f"\n  {len(group['params'])} tensors: "
            + ", ".join(f"{key}={value}" for key, value in group.items() if key != "params")
            for group in self.param_groups
        )
        return f"{type(self).__name__}({groups}\n)"


def _fitted(value: Tensor, param: Tensor, index: int) -> Tensor:
    """A copy of a saved tensor on the device of its parameter."""
    if value.shape != param.shape:
        raise ShapeError(
            "load_state_dict",
            f"the state of parameter {index} has another shape",
            {"given": str(list(value.shape)), "expected": str(list(param.shape))},
        )
    return value.detach().to(param.device).to(param.dtype).clone()
