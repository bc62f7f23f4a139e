"""docs/simulator-commands.md: every command of the simulator's /control, from the classes that read their bodies."""

import inspect
from collections.abc import Iterator
from typing import Final

from msgspec import NODEFAULT, Struct
from msgspec import inspect as types
from msgspec.structs import fields

from hlmonitor.simulator.io.commands import COMMANDS, MarketCommand

HEAD = """
# Commands of the simulator

Each is a `POST /control/<name>` with a JSON body, and a word of a [scenario file](simulator.md#scenario-files).
*In a block* means: it acts inside the next block, before the population does, and is answered when the block is
made; a list of bodies is done in one block, and answered with a list. *At once* means between two blocks.
Times are milliseconds of venue time. A fault says what it means by `feed` (subscription type, or type of an
`/info` request), `user`, `coin` and `client` (IP address): each that is given must fit; and ends `for_ms` later, or
when it is [cleared](#clear). A body that is wrong is answered with 400 and `{"error": …}`, which names the field.
"""


_WORDS: Final = {types.BoolType: "`true`, `false`", types.DecimalType: "amount, best as text"}


def commands_page() -> str:
    """The whole page."""
    return HEAD + "".join("".join(_section(name, kind)) for name, kind in COMMANDS.items())


def _section(name: str, kind: type[Struct]) -> Iterator[str]:
    where = "In a block" if issubclass(kind, MarketCommand) else "At once"
    yield f"\n## `{name}`\n\n{where}. {inspect.getdoc(kind)}\n\n| field | default | values |\n|---|---|---|\n"
    for field in fields(kind):
        default = "required" if field.required else _default(field.default)
        yield f"| `{field.encode_name}` | {default} | {_values(types.type_info(field.type))} |\n"


def _default(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            return "" if value is NODEFAULT else f"`{value}`"


def _values(kind: types.Type) -> str:
    match kind:
        case types.UnionType(options):
            return " or ".join(_values(option) for option in options if not isinstance(option, types.NoneType))
        case types.StrType(pattern=pattern):
            return "address" if pattern and pattern.startswith("^0x") else "text"
        case types.EnumType(cls=enum):
            return ", ".join(f"`{member.value}`" for member in enum)
        case types.IntType() | types.FloatType():
            return _number(kind)
        case types.ListType(item_type=item):
            return f"list: {_values(item)}"
        case types.StructType(cls=inner):
            return f"object: {', '.join(f'`{field.encode_name}`' for field in fields(inner))}"
        case _:
            return _WORDS.get(type(kind), "any JSON")


def _number(kind: types.IntType | types.FloatType) -> str:
    word = "whole number" if isinstance(kind, types.IntType) else "number"
    least = f" from {kind.ge}" if kind.ge is not None else f" above {kind.gt}" if kind.gt is not None else ""
    return word + least + (f" to {kind.le}" if kind.le is not None else "")
