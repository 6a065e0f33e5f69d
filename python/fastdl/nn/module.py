"""`Module`: the base class of every layer and model.

Parameters, buffers and child modules are plain instance attributes. Nothing is copied into
registries: `parameters()` and friends read `vars(module)` when they are called, in the order in
which the attributes were first set. Reading `self.weight` in `forward` therefore costs what any
Python attribute costs, and a subclass need not call `super().__init__()`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from fastdl import _core
from fastdl._core import Tensor
from fastdl.errors import ArgumentError, DTypeError, Error
from fastdl.nn import state
from fastdl.nn.hooks import Handle, Hooks
from fastdl.nn.parameter import Parameter
from fastdl.symbolic import STAND_INS

__all__ = ["Module"]


class Module:
    """Base class of layers and models.

    A subclass sets parameters (`Parameter`), buffers (`register_buffer`) and other modules as
    attributes, and defines `forward`. Calling the module runs `forward`, its hooks, and adds the
    layer's path to an error that passes through.

    Example::

        class Net(nn.Module):
            def __init__(self):
                self.hidden = nn.Linear(2, 4)
                self.output = nn.Linear(4, 1)

            def forward(self, x):
                return self.output(self.hidden(x).tanh())
    """

    # Class-level defaults, so that a module without buffers or hooks stores nothing for them.
    training: bool = True
    _buffer_names: frozenset[str] = frozenset()
    _transient_names: frozenset[str] = frozenset()
    _hooks: Hooks | None = None
    _pending: dict[str, Tensor] | None = None  # of a lazy layer that has seen no input yet

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for arg in args:
            if type(arg) in STAND_INS:
                return arg.__fastdl_module__(self, args, kwargs)
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return self._hooks.call(self, args, kwargs)
        except Error as error:
            error.modules.append(self)
            raise

    # registration

    def __setattr__(self, name: str, value: Any) -> None:
        if (
            isinstance(value, Tensor)
            and not isinstance(value, Parameter)
            and isinstance(self.__dict__.get(name), Parameter)
        ):
            # Losing a parameter by a slip would go unnoticed until the model fails to learn.
            raise DTypeError(
                f"{type(self).__name__}.{name}",
                "a parameter cannot be replaced by a plain tensor",
                remedy=f"write nn.Parameter(...), or module.{name}.copy_(...) under no_grad()",
            )
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if name in self._buffer_names:
            self._buffer_names -= {name}
            self._transient_names -= {name}

    def register_parameter(self, name: str, parameter: Parameter | None) -> None:
        """Set a parameter by name; None keeps the name free, as for a layer without bias."""
        _check_name(self, name)
        setattr(self, name, parameter)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Set a tensor that belongs to the state of the module but is not trained.

        Args:
            name: the attribute that holds it.
            tensor: the buffer, or None for none yet.
            persistent: whether `state_dict` includes it. Default: True.
        """
        _check_name(self, name)
        self._buffer_names |= {name}
        if not persistent:
            self._transient_names |= {name}
        setattr(self, name, tensor)

    def add_module(self, name: str, module: Module | None) -> None:
        """Set a child module by name."""
        _check_name(self, name)
        setattr(self, name, module)

    # traversal

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules set directly on this one, each once, with their attribute names."""
        seen = set()
        for name, value in vars(self).items():
            if isinstance(value, Module) and id(value) not in seen:
                seen.add(id(value))
                yield name, value

    def children(self) -> Iterator[Module]:
        """The modules set directly on this one."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, prefix: str = "", memo: set[int] | None = None
    ) -> Iterator[tuple[str, Module]]:
        """This module (named `prefix`) and all below it, depth first, each once."""
        memo = set() if memo is None else memo
        if id(self) in memo:
            return
        memo.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child.named_modules(_join(prefix, name), memo)

    def modules(self) -> Iterator[Module]:
        """This module and all below it."""
        return (module for _, module in self.named_modules())

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their dotted names; a shared one appears once.

        Raises UninitializedError, as all that asks for parameters or buffers does, where a lazy
        layer has seen no input yet.
        """
        seen = set()
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            if module._pending is not None:
                raise state.uninitialized(module, "its parameters", path)
            for name, value in vars(module).items():
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield _join(path, name), value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters, a shared one once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """The buffers with their dotted names."""
        for path, module in self.named_modules(prefix) if recurse else [(prefix, self)]:
            if module._pending is not None:
                raise state.uninitialized(module, "its buffers", path)
            for name, value in vars(module).items():
                if name in module._buffer_names and value is not None:
                    yield _join(path, name), value

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, path: str) -> Module:
        """The module at a dotted path such as ``"features.0"``; ArgumentError if there is none."""
        module = self
        for name in path.split(".") if path else []:
            child = vars(module).get(name)
            if not isinstance(child, Module):
                names = ", ".join(name for name, _ in module.named_children()) or "none"
                raise ArgumentError(
                    "get_submodule",
                    f"{type(self).__name__} has no module {path!r}",
                    {"missing": name, "children": names},
                )
            module = child
        return module

    # state

    def state_dict(self) -> dict[str, Tensor]:
        """Dotted names to detached tensors that share storage with parameters and buffers.

        Raises UninitializedError where a lazy layer has seen no input yet.
        """
        return state.collect(self)

    def load_state_dict(self, tensors: Mapping[str, Any], strict: bool = True) -> state.KeyReport:
        """Copy `tensors` into the parameters and buffers of the same names.

        Args:
            tensors: as `state_dict` or `fastdl.io.load_file` returns it; NumPy arrays also do.
            strict: whether names that are missing or too many are an error. Default: True.

        Returns:
            The missing and the unexpected names (both empty when `strict`).

        A lazy layer that has seen no input takes its size from the tensors.

        Raises:
            ArgumentError: names are missing or unexpected, and `strict` is set.
            ShapeError, DTypeError: a tensor does not fit. Nothing is copied in any of the cases.
        """
        return state.load(self, tensors, strict)

    def to(self, target: Any = None, *, memory_format: _core.memory_format | None = None) -> Self:
        """Move parameters and buffers to a device, or convert floating ones to a dtype.

        Tensors that change are replaced by new ones, so make the optimizer afterwards.

        Args:
            target: a device or a dtype. Default: None, neither changes.
            memory_format: how parameters and buffers of 4 dimensions lie in memory,
                `fastdl.channels_last` say. Default: None, as they do.
        """
        state.convert(self, target, memory_format)
        return self

    def cpu(self) -> Self:
        """Move to the CPU, as ``to("cpu")``."""
        return self.to("cpu")

    def cuda(self) -> Self:
        """Move to the first GPU, as ``to("cuda")``."""
        return self.to("cuda")

    def float(self) -> Self:
        """Convert to float32."""
        return self.to(_core.float32)

    def double(self) -> Self:
        """Convert to float64."""
        return self.to(_core.float64)

    def half(self) -> Self:
        """Convert to float16."""
        return self.to(_core.float16)

    def bfloat16(self) -> Self:
        """Convert to bfloat16."""
        return self.to(_core.bfloat16)

    def train(self, mode: bool = True) -> Self:
        """Set training mode (dropout drops, batch norm uses the batch) here and below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Set inference mode here and below."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Switch the collection of gradients on or off for all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters."""
        _core.zero_grads(list(self.parameters()))

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Call `function` on every module, children before parents."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # hooks

    def register_forward_pre_hook(self, hook: Callable[[Any, tuple[Any, ...]], Any]) -> Handle:
        """Call ``hook(module, args)`` before forward; what it returns (not None) replaces args."""
        self._hooks = self._hooks or Hooks()
        return self._hooks.add_before(hook)

    def register_forward_hook(self, hook: Callable[[Any, tuple[Any, ...], Any], Any]) -> Handle:
        """Call ``hook(module, args, output)`` after forward; a result not None replaces output."""
        self._hooks = self._hooks or Hooks()
        return self._hooks.add_after(hook)

    # display

    def extra_repr(self) -> str:
        """The arguments that `repr` shows between the parentheses."""
        return ""

    def __repr__(self) -> str:
        children = [
            f"({name}): {child!r}".replace("\n", "\n  ") for name, child in self.named_children()
        ]
        head = f"{type(self).__name__}({self.extra_repr()}"
        return head + "".join(f"\n  {line}" for line in children) + ("\n)" if children else ")")

    def summary(self, *input_shapes: tuple[int, ...], dtype: Any = None, show: bool = True) -> Any:
        """Print and return a table of layers, output shapes, parameters and FLOPs.

        See `fastdl.nn.summary.summarize` for the arguments and how the figures are counted.
        """
        from fastdl.nn.summary import summarize

        table = summarize(self, *input_shapes, dtype=dtype)
        if show:
            print(table)
        return table

    def plot(
        self,
        path: str | os.PathLike[str],
        *inputs: Tensor | tuple[int, ...],
        dtype: Any = None,
        depth: int | None = None,
    ) -> None:
        """Draw the layers and functions that `forward` calls, and what goes where.

        The model runs once, without gradients and in inference mode. Each layer of fastdl, and
        each module that holds no others, is a box with its class, its name, the shape of its
        result (N is the batch) and how many parameters it has, counted at its first call.
        Functions and operators between layers are boxes, too.

        Args:
            path: the file, ``.svg`` or, by matplotlib (``fastdl[recipes]``), ``.png``.
            *inputs: for each input a tensor, or the shape without the batch; a `fastdl.Model` may
                be drawn without any.
            dtype: of the inputs given by shape; one for all, or a sequence. Default: float32.
            depth: draw modules at this depth as one box; 1 for the model's children.
                Default: None, look into all modules that call others.

        Raises:
            ArgumentError: the path has another ending or cannot be written, or the model is no
                fixed graph: it branches on the elements of tensors, or edits a tensor otherwise
                than by ``+=`` and the like.
            UnavailableError: a PNG is asked for, and there is no matplotlib.
        """
        import fastdl  # pictures are made above this layer

        fastdl.diagram.plot(self, path, inputs, dtype, depth)


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _check_name(module: Module, name: str) -> None:
    if not name or "." in name:
        raise ArgumentError(
            type(module).__name__, f"{name!r} cannot name a member: it is empty or has a dot"
        )
    if callable(getattr(type(module), name, None)):
        raise ArgumentError(
            type(module).__name__,
            f"{name!r} cannot name a member: it is a method",
            remedy="choose another name",
        )
