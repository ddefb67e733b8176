"""The base class of every protocol: its arguments, its canonical text, its draws."""

from __future__ import annotations

import typing
from abc import ABC, abstractmethod
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, ClassVar

from fsbench.datasets.dataset import DatasetInfo
from fsbench.datasets.known import (
    dataset_arguments,
    dataset_info,
    dataset_names,
    dataset_text,
    is_available,
)
from fsbench.errors import PluginError, SpecError, TaskError
from fsbench.kinds import get_kind
from fsbench.sorts import Sort
from fsbench.spec import Call, Value, as_call, coerce, format_value, parse_call
from fsbench.tasks import parts
from fsbench.tasks.drawing import Split
from fsbench.types import TaskInfo
from fsbench.words import plural


@dataclass(frozen=True)
class Protocol(ABC):
    """A rule that makes a low-data situation out of datasets.

    A subclass is a frozen dataclass with a `name` and a one-line `summary`; `cite` is the paper that first
    described the rule, if there is one. The fields without a default are its positional arguments and name
    datasets, as does `source`; they contain canonical texts. `shown` names the arguments that are always in
    the canonical text, even if they have their defaults. `check` refuses what cannot be drawn. `nested` names
    arguments whose larger value gives a training part that contains that of a smaller value. `exhaustive`
    says that every split uses all samples, so that splits overlap as much as possible.
    """

    name: ClassVar[str] = ""
    summary: ClassVar[str] = ""
    cite: ClassVar[str] = ""
    shown: ClassVar[tuple[str, ...]] = ()
    nested: ClassVar[tuple[str, ...]] = ()
    exhaustive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for f in fields(self):
            if _names_a_dataset(f) and (value := getattr(self, f.name)) is not None:
                object.__setattr__(self, f.name, dataset_info(value).text)
        self._coerce()
        self.check()

    def _coerce(self) -> None:
        """Check every argument against its annotation. Raises SpecError."""
        hints = typing.get_type_hints(type(self))
        for f in fields(self):
            value = getattr(self, f.name)
            value = coerce(f"{self.name}({f.name}={format_value(value)})", value, hints[f.name])
            object.__setattr__(self, f.name, value)

    @property
    def text(self) -> str:
        """The canonical text of the task."""
        args = [_name_or_call(getattr(self, f.name)) for f in fields(self) if f.default is MISSING]
        kwargs = [
            (f.name, self._value(f))
            for f in fields(self)
            if f.default is not MISSING and (f.name in self.shown or getattr(self, f.name) != f.default)
        ]
        return str(Call(self.name, tuple(args), tuple(kwargs)))

    def _value(self, f: Field[Any]) -> Value:
        value = getattr(self, f.name)
        if _names_a_dataset(f):
            return _name_or_call(value)
        return int(value) if isinstance(value, float) and value.is_integer() else value

    @property
    @abstractmethod
    def datasets(self) -> tuple[str, ...]:
        """The datasets, as texts, in the order in which the rows of a split number them."""

    @abstractmethod
    def check(self) -> None:
        """Raise TaskError if the datasets do not allow this task."""

    @abstractmethod
    def info(self) -> TaskInfo:
        """What a strategy may know about the task."""

    @abstractmethod
    def draw(self, seed: int) -> Split:
        """One draw, a function of the datasets, the arguments and the seed; without a fingerprint."""

    @property
    def labels(self) -> str:
        """How many labels the task gives to train on and to validate, in words; "" if that says little.

        It must follow from the arguments without the datasets, which may be absent where a report is read.
        """
        return ""

    criterion: ClassVar[str] = "stratified cross-validation on train and val"
    """What `hold_out` does, in a few words."""

    @property
    def folds(self) -> int:
        """How many parts of the labels `hold_out` can hold out, one at a time."""
        return parts.FOLDS

    def hold_out(self, split: Split, fold: int, seed: int) -> Split:
        """A part of a split's labels in the place of its test part, to compare configurations on.

        By default one fold of a stratified cross-validation over the training and validation labels; a
        protocol whose validation part is something else overrides this and `folds`. Raises TaskError if there
        are too few labels.
        """
        return parts.hold_out(split, fold, seed, self.datasets)

    def require(self, holds: bool, problem: str) -> None:
        """Raise TaskError with the task's text and the problem unless a condition holds."""
        if not holds:
            raise TaskError(f"{self.text}: {problem}")

    def require_at_least(self, low: int, *names: str) -> None:
        """Raise TaskError if an argument that is given is smaller than `low`."""
        for name in names:
            value = getattr(self, name)
            self.require(value is None or value >= low, f"{name} is {value}; expected at least {low}")

    def require_ungrouped(self, info: DatasetInfo) -> None:
        """Raise TaskError if some samples of a dataset belong together, as this protocol divides them."""
        self.require(
            not info.grouped,
            f"samples of {info.text} belong together, but this protocol divides them; use holdout",
        )

    def require_same_kind(self, source: DatasetInfo, target: DatasetInfo) -> None:
        """Raise TaskError if the samples of two datasets differ in kind."""
        self.require(
            source.kind == target.kind,
            f"the source {source.text} is {source.kind} data and {target.text} is {target.kind} data",
        )

    def require_same_shape(self, first: DatasetInfo, second: DatasetInfo) -> None:
        """Raise TaskError, with what to write instead, if samples differ in shape."""
        shapes = " and ".join("x".join(map(str, info.stored or info.shape)) for info in (first, second))
        hint = "choose datasets of one shape"
        for info, other in ((first, second), (second, first)):
            known = dataset_arguments(info.name)
            wanted = get_kind(other.kind).arguments(other.shape)
            given = {k: v for k, v in wanted.items() if k in known and v != known[k]}
            if info.shape != other.shape and given:
                hint = f"write {Call(info.name, (), tuple(given.items()))}"
                break
        same = (first.shape, first.stored) == (second.shape, second.stored)
        self.require(same, f"{first.text} and {second.text} are {shapes}; {hint}")


def _check_class(cls: Any) -> None:
    if not (isinstance(cls, type) and issubclass(cls, Protocol)):
        raise PluginError(f"fsbench_protocols returned {cls!r}; expected subclasses of fsbench.Protocol")
    if not ("__dataclass_params__" in vars(cls) and vars(cls)["__dataclass_params__"].frozen):
        raise PluginError(f"{cls.__name__} is not a frozen dataclass; put @dataclass(frozen=True) above it")
    if unwritten := sorted(cls.__abstractmethods__):
        raise PluginError(f"{cls.__name__} does not define {', '.join(unwritten)}")
    if not cls.summary.strip():
        raise PluginError(f"{cls.__name__} has no summary; describe it in one line")


PROTOCOLS: Sort[type[Protocol]] = Sort("protocol", "fsbench_protocols", _check_class, lambda cls: cls.name)


@dataclass(frozen=True)
class OneDataset(Protocol):
    """A task whose labels all come from one dataset."""

    dataset: str

    @property
    def data(self) -> DatasetInfo:
        """What is known about the dataset."""
        return dataset_info(self.dataset)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The dataset."""
        return (self.dataset,)

    def describe(self, **facts: Any) -> TaskInfo:
        """What a strategy may know: the facts of the dataset and the `facts` of the task."""
        data = self.data
        known: dict[str, Any] = {
            "text": self.text,
            "protocol": self.name,
            "kind": data.kind,
            "input_shape": data.shape,
            "num_classes": data.num_classes,
            "symmetries": data.symmetries,
        }
        return TaskInfo(**known | facts)


def build(cls: type[Protocol], call: Call) -> Protocol:
    """The task of an expression. Raises TaskError, SpecError, UnknownName or AbsentData."""
    return cls(**_values(cls, call))


def labels_of(cls: type[Protocol], call: Call) -> str:
    """`Protocol.labels` of an expression, whose datasets need not be known here. Raises SpecError."""
    return _without_data(cls, call).labels


def text_of(cls: type[Protocol], call: Call) -> str:
    """`Protocol.text` of an expression, whose datasets need not be known here. Raises SpecError."""
    return _without_data(cls, call).text


def _without_data(cls: type[Protocol], call: Call) -> Protocol:
    """The task of an expression, which its datasets may not allow. Raises SpecError."""
    task, values = object.__new__(cls), _values(cls, call)
    for f in fields(cls):
        value = values.get(f.name, f.default)
        if _names_a_dataset(f) and value is not None:
            value = dataset_text(value)
        object.__setattr__(task, f.name, value)
    task._coerce()
    return task


def _values(cls: type[Protocol], call: Call) -> dict[str, Any]:
    """The arguments that an expression gives, by name; datasets as texts. Raises SpecError."""
    positional = [f.name for f in fields(cls) if f.default is MISSING]
    known = [f.name for f in fields(cls) if f.default is not MISSING]
    if len(call.args) != len(positional):
        raise SpecError(
            f"{call}: expected {plural(len(positional), 'dataset')}, then arguments by name, "
            f"as in {cls.name}({', '.join([*positional, known[0] + '=...'])})"
        )
    for name, _ in call.kwargs:
        if name not in known:
            raise SpecError(f"{call}: {cls.name} has no argument {name!r}; it takes {', '.join(known)}")
    values = dict(zip(positional, call.args, strict=True)) | call.keywords
    for name in values.keys() & {*positional, "source"}:
        if values[name] is not None:
            values[name] = str(_dataset_call(call, values[name]))
    return values


def datasets_with_evaluation_classes() -> list[str]:
    """The datasets on this machine that episodes can be drawn from."""
    here = filter(is_available, dataset_names())
    return [name for name in here if dataset_info(name).evaluation_classes]


def _dataset_call(call: Call, value: Value) -> Call:
    try:
        return as_call(value)
    except SpecError as error:
        raise SpecError(f"{call}: expected a dataset: {error}") from None


def _names_a_dataset(f: Field[Any]) -> bool:
    return f.default is MISSING or f.name == "source"


def _name_or_call(text: str | None) -> Value:
    if text is None:
        return None
    call = parse_call(text)
    return call if call.kwargs else call.name
