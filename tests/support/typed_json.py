"""Whether JSON data fits the `typing` annotations of other code: TypedDicts, unions of them, literals, tuples."""

from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict


def misfit(value: object, kind: Any, at: str = "$") -> str | None:  # noqa: ANN401 any annotation
    """Return where and how a value does not fit, None if it does. Keys that a TypedDict lacks are no misfit."""
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any or kind is object:
        return None
    if is_typeddict(kind):
        return _of_dict(value, kind, at)
    if origin in {Union, UnionType}:
        tried = [misfit(value, part, at) for part in args]
        return None if None in tried else "; ".join(text for text in tried if text)
    if origin is Literal:
        return None if value in args else f"{at}: {value!r} is none of {args}"
    if origin is list:
        return _of_items(value, args * len(value), at) if isinstance(value, list) else f"{at}: {value!r} is no list"
    if origin is tuple:
        return _of_items(value, args, at)
    if origin is dict:
        return _of_values(value, args[1], at)
    return _of_class(value, NoneType if kind is None else kind, at)


def _of_class(value: object, kind: type, at: str) -> str | None:
    fits = isinstance(value, kind) and (kind is bool or not isinstance(value, bool))
    return None if fits else f"{at}: {value!r} is no {kind.__name__}"


def _of_dict(value: object, kind: Any, at: str) -> str | None:  # noqa: ANN401 any TypedDict
    if not isinstance(value, dict):
        return f"{at}: {value!r} is no object"
    for name, hint in get_type_hints(kind, include_extras=True).items():
        optional = get_origin(hint) is NotRequired or not kind.__total__
        if name not in value:
            if not optional:
                return f"{at}.{name} is missing"
            continue
        found = misfit(value[name], get_args(hint)[0] if get_origin(hint) is NotRequired else hint, f"{at}.{name}")
        if found is not None:
            return found
    return None


def _of_items(value: object, kinds: tuple[object, ...], at: str) -> str | None:
    if not isinstance(value, list) or len(value) != len(kinds):
        return f"{at}: {value!r} is no list of {len(kinds)}"
    found = (misfit(item, kind, f"{at}[{n}]") for n, (item, kind) in enumerate(zip(value, kinds, strict=True)))
    return next((text for text in found if text is not None), None)


def _of_values(value: object, kind: object, at: str) -> str | None:
    if not isinstance(value, dict):
        return f"{at}: {value!r} is no object"
    found = (misfit(item, kind, f"{at}.{name}") for name, item in value.items())
    return next((text for text in found if text is not None), None)
