"""Section: the options of one part of the program, for the configuration and for Python."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, dataclass_transform, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from transaction_tracker.domain.numbers import decimal_number
from transaction_tracker.options.problems import invalid_options

_Section = TypeVar("_Section", bound="Section")


def option(
    default: Any, expected: str, description: str, *, secret: bool = False, **limits: Any
) -> Any:
    """Declare one option of a section.

    Args:
        default: Default value; ``...`` for a required option.
        expected: Valid values, for errors and the reference: "a port, 0 to 65535".
        description: What the option does, in one sentence.
        secret: Whether the value must never be printed.
        limits: Limits of pydantic's ``Field``: ``ge``, ``le``, ``max_length``.
    """
    extra: dict[str, JsonValue] = {"expected": expected, "secret": secret}
    return Field(default, description=description, json_schema_extra=extra, **limits)


def number(default: int | None, lowest: int, highest: int, description: str) -> Any:
    """Declare an option that is a whole number; see `option`."""
    expected = f"a number, {lowest:,} to {highest:,}"
    return option(default, expected, description, ge=lowest, le=highest)


# pydantic exports its metaclass under no name. Type checkers must see it as a class.
if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)


@dataclass_transform(frozen_default=True)
class _SectionClass(ModelMetaclass):
    """Lets type checkers know that the options are positional, too; pydantic's class says not."""


class Section(BaseModel, metaclass=_SectionClass, frozen=True):
    """Options of one part of the program, immutable and comparable.

    A subclass declares its options with `option`, beside the code that obeys them. It is a table
    of the configuration, and a class that Python programs construct.

    Raises:
        ValueError: An option is unknown or invalid. The message names it, the expected and the
            actual value, as the message for a configuration file does; it contains no secret.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", hide_input_in_errors=True)

    def __init__(self, *values: Any, **options: Any) -> None:
        kind = type(self)
        if len(values) > len(kind.model_fields):
            raise TypeError(
                f"{kind.__name__} has {len(kind.model_fields)} options, got {len(values)} values"
            )
        given = dict(zip(kind.model_fields, values, strict=False))
        if twice := given.keys() & options:
            raise TypeError(f"{kind.__name__} got two values for {min(twice)}")
        try:
            super().__init__(**given, **options)
        except ValidationError as error:
            problems = [f"{'.'.join(key)} {text}" for key, _, text in invalid_options(kind, error)]
            raise ValueError("; ".join(problems)) from None
        for name, message in self.conflicts():
            raise ValueError(f"{name or kind.__name__} {message}")

    # Otherwise pydantic calls this function for each table of a configuration as well. The errors
    # of a table must stay apart, and `settings.load` finds their lines.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def conflicts(self, table: str = "") -> Iterator[tuple[str, str]]:
        """Yield the options that are invalid in combination with other options.

        Args:
            table: Prefix of option names in the messages, such as ``"http."``.

        Yields:
            The name of the option, empty for the whole section, and what is wrong with it.
        """
        yield from ()

    def part(self, kind: type[_Section]) -> _Section:
        """Return the options of a class that this one extends."""
        return kind(**{name: value for name, value in self._given() if name in kind.model_fields})

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values of some options.

        Raises:
            ValueError: A new value is invalid, or does not fit the others.
        """
        return type(self)(**dict(self._given()) | changes)

    def _given(self) -> Iterator[tuple[str, Any]]:
        return ((name, value) for name, value in self if name in self.model_fields_set)

    @field_validator("*", mode="before")
    @classmethod
    def _check_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """Raise ``ValueError`` for a value that only pydantic reads as a number.

        Without this check, ``true`` would become 1, because ``bool`` is a subclass of ``int``, and
        the text ``1_0`` of an environment variable would become 10.
        """
        kinds = set(_kinds(cls.model_fields[info.field_name or ""].annotation))
        if isinstance(value, bool) and bool not in kinds:
            raise ValueError("not a number")
        if isinstance(value, str) and str not in kinds and _is_python_number(value):
            decimal_number(value)
        return value


def _kinds(annotation: Any) -> Iterator[type]:
    """Return the types of an annotation, and of the parts of a union or a list."""
    if isinstance(annotation, type):
        yield annotation
    for part in get_args(annotation):
        yield from _kinds(part)


def _is_python_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
