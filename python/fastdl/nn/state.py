"""The state of a module: collecting it, loading it, converting it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from fastdl import _core
from fastdl._core import Tensor
from fastdl.autograd import no_grad
from fastdl.errors import ArgumentError, DTypeError, ShapeError, UninitializedError
from fastdl.nn.parameter import Parameter

if TYPE_CHECKING:
    from fastdl.nn.module import Module

__all__ = ["KeyReport", "collect", "convert", "load", "uninitialized"]

_NAMES_SHOWN = 8  # a wrong file can differ in thousands of names; the first few tell enough


class KeyReport(NamedTuple):
    """Names that `load_state_dict` did not find, and names that it had no use for."""

    missing: list[str]
    unexpected: list[str]


def collect(module: Module) -> dict[str, Tensor]:
    """All parameters and persistent buffers by dotted name, detached, sharing storage.

    A parameter that is shared by two modules appears under both names, so that a file loads into
    a model that does not share it.
    """
    tensors: dict[str, Tensor] = {}
    _collect_into(tensors, module, "")
    return tensors


def _collect_into(
    tensors: dict[str, Tensor], module: Module, prefix: str, lenient: bool = False
) -> None:
    from fastdl.nn.module import Module

    if module._pending is not None:
        if not lenient:
            raise uninitialized(module, "its state", prefix[:-1])
        tensors.update({prefix + name: value for name, value in module._pending.items()})
    saved_buffers = module._buffer_names - module._transient_names
    children = []
    for name, value in vars(module).items():
        if isinstance(value, Module):
            children.append((name, value))
        elif isinstance(value, Parameter) or (name in saved_buffers and value is not None):
            tensors[prefix + name] = value.detach()
    for name, child in children:
        _collect_into(tensors, child, f"{prefix}{name}.", lenient)


def uninitialized(module: Module, what: str, path: str = "") -> UninitializedError:
    """The error of asking for tensors of a lazy layer that has seen no input."""
    return UninitializedError(
        type(module).__name__,
        f"asked for {what} before the first input, which will tell the size",
        {"layer": path} if path else {},
        "call the model once first, on zeros for example",
    )


def load(module: Module, tensors: Mapping[str, Any], strict: bool) -> KeyReport:
    """Copy `tensors` into the module; everything is checked before anything is copied."""
    with _initialized_by(module, tensors):
        return _load(module, tensors, strict)


@contextmanager
def _initialized_by(module: Module, tensors: Mapping[str, Any]) -> Iterator[None]:
    """Give lazy layers the sizes of the tensors; an error makes them lazy again."""
    before = []
    part: Any  # if it waits, a fastdl.nn.lazy.LazyModuleMixin
    for path, part in module.named_modules():
        factor = part._factor_in(tensors, f"{path}." if path else "") if part._pending else None
        if factor is not None:
            before.append((part, type(part), dict(vars(part))))
            part._become(factor)
    try:
        yield
    except Exception:
        for part, kind, attributes in before:
            part.__class__ = kind
            vars(part).clear()
            vars(part).update(attributes)
        raise


def _load(module: Module, tensors: Mapping[str, Any], strict: bool) -> KeyReport:
    own: dict[str, Tensor] = {}
    _collect_into(own, module, "", lenient=True)
    missing = [name for name in own if name not in tensors]
    unexpected = [name for name in tensors if name not in own]
    if strict and (missing or unexpected):
        raise _key_error(module, missing, unexpected)
    sources = {
        name: value if isinstance(value, Tensor) else _core.tensor(value)
        for name, value in tensors.items()
        if name in own
    }
    _check_fit(module, own, sources)
    with no_grad():
        for name, source in sources.items():
            target = own[name]
            target.copy_(source.to(target.device).to(target.dtype))
    return KeyReport(missing, unexpected)


def _key_error(module: Module, missing: list[str], unexpected: list[str]) -> ArgumentError:
    details = {}
    if missing:
        details["missing"] = _enumerate(missing)
    if unexpected:
        details["extra"] = _enumerate(unexpected)
    return ArgumentError(
        "load_state_dict",
        f"the names do not match those of {type(module).__name__}: "
        f"{len(missing)} missing, {len(unexpected)} unexpected",
        details,
        "load weights of the same architecture, or pass strict=False to load what matches",
    )


def _check_fit(module: Module, own: dict[str, Tensor], sources: dict[str, Tensor]) -> None:
    wrong_shapes = {
        name: f"{list(source.shape)} given, {list(own[name].shape)} expected"
        for name, source in sources.items()
        if source.shape != own[name].shape
    }
    if wrong_shapes:
        shown = dict(list(wrong_shapes.items())[:_NAMES_SHOWN])
        raise ShapeError(
            "load_state_dict",
            f"{len(wrong_shapes)} of {len(sources)} tensors have another shape than in "
            f"{type(module).__name__}",
            shown,
            "make the model with the sizes that the weights were saved with",
        )
    for name, source in sources.items():
        if source.dtype.is_floating_point != own[name].dtype.is_floating_point:
            raise DTypeError(
                "load_state_dict",
                f"{name} is {source.dtype.name}, the model has {own[name].dtype.name}",
                remedy=f"convert it with .to(fastdl.{own[name].dtype.name})",
            )


def _enumerate(names: list[str]) -> str:
    rest = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def convert(module: Module, target: Any, memory_format: _core.memory_format | None = None) -> None:
    """Replace parameters and buffers by themselves on another device, or in another form."""
    to_dtype = target is not None and _is_dtype(target)
    done: dict[int, Tensor] = {}  # a shared parameter stays shared
    for part in module.modules():
        tensors = vars(part) if part._pending is None else part._pending
        for name, value in list(tensors.items()):
            if not (isinstance(value, Parameter) or name in part._buffer_names):
                continue
            if value is None or (to_dtype and not value.dtype.is_floating_point):
                continue
            if id(value) not in done:
                done[id(value)] = _converted(
                    value, target, memory_format if value.dim() == 4 else None
                )
            if part._pending is None:
                setattr(part, name, done[id(value)])
            else:
                part._pending[name] = done[id(value)]


def _converted(value: Tensor, target: Any, memory_format: _core.memory_format | None) -> Tensor:
    with no_grad():
        moved = value.detach().to(target, memory_format=memory_format)
    if (
        moved.dtype == value.dtype
        and moved.device == value.device
        and moved.stride() == value.stride()
    ):
        return value
    if isinstance(value, Parameter):
        return Parameter(moved, requires_grad=value.requires_grad)
    return moved


def _is_dtype(target: Any) -> bool:
    """Whether `target` names a dtype rather than a device; both may come as strings."""
    if isinstance(target, str):
        return isinstance(getattr(_core, target, None), _core.dtype)
    return not isinstance(target, _core.device)
