"""Plugins: all are found; a broken one is reported and does not hide others."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pytest

import fsbench
from fsbench import Strategy, hookimpl, param
from fsbench.errors import ConflictError, PluginError, SpecError, UnknownName
from fsbench.families import groups, membership
from fsbench.identity import versions
from fsbench.kinds.image import Image
from fsbench.registry import Registry, extra_modules, load_registry
from fsbench.testing import toy_split


@dataclass(frozen=True)
class Bold(Strategy):
    """A strategy with one argument of each kind."""

    name = "bold"
    rate: float = param(0.5, low=0, high=1)
    size: int = 3
    mode: str = param("fast", choices=("fast", "slow"))
    flag: bool = False
    cap: float | None = None


def module(*classes: type, name: str = "stranger") -> ModuleType:
    made = ModuleType(name)
    made.fsbench_strategies = hookimpl(lambda: list(classes))  # type: ignore[attr-defined]
    return made


def registry_with(*classes: type) -> Registry:
    registry = load_registry()
    registry.load("stranger", lambda: module(*classes), ("stranger", "1.2"))
    return registry


def test_bundled_strategies_come_through_the_entry_point_of_the_distribution() -> None:
    registry = load_registry()
    assert registry.failures == []
    assert {"erm", "augmentation", "transfer", "dann", "maml", "focal", "resampling"} <= set(
        registry.strategies
    )
    assert registry.origin["erm"] == ("fsbench", fsbench.__version__)


def test_a_plugins_strategy_is_parsed_with_checked_arguments() -> None:
    registry = registry_with(Bold)
    (found,) = registry.parse("bold(rate=1, mode=slow)")
    assert found.text == "bold(mode=slow, rate=1.0)"
    assert found.full_text == "bold(cap=none, flag=false, mode=slow, rate=1.0, size=3)"
    assert versions(registry, found) == {"stranger": "1.2"}
    assert registry.parse(found.full_text) == [found]


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("bold(rate=oops)", "bold(rate=oops): expected a number, got oops"),
        ("bold(rate=2)", "bold(rate=2.0): expected at most 1"),
        ("bold(rate=-1)", "bold(rate=-1.0): expected at least 0"),
        ("bold(size=1.5)", "expected a whole number, got 1.5"),
        ("bold(size=true)", "expected a whole number, got true"),
        ("bold(flag=1)", "expected true or false, got 1"),
        ("bold(mode=odd)", "expected one of fast, slow"),
        ("bold(cap=yes)", "expected a number or none, got yes"),
        ("bold(speed=1)", "bold has no argument 'speed'; it takes rate, size, mode, flag, cap"),
        ("bold(1)", "write arguments with their names"),
    ],
)
def test_wrong_arguments_say_what_was_expected(spec: str, says: str) -> None:
    with pytest.raises(SpecError) as caught:
        registry_with(Bold).parse(spec)
    assert says in str(caught.value)


def test_an_argument_without_an_annotation_is_named() -> None:
    with pytest.raises(SpecError, match=r"odd has no argument 'rate' \(rate of Odd has no type annotation\)"):
        registry_with(odd(rate=0.1, loss=keep_loss)).parse("odd(rate=0.2)")


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'FOCAL'"):
        raise UnknownName("strategy", "Focall", ["FOCAL"])
    with pytest.raises(UnknownName, match="unknown strategy 'focall'; did you mean 'focal'"):
        load_registry().parse("focall")
    with pytest.raises(UnknownName, match="did you mean 'imbalance'"):
        load_registry().parse("imbalanced")
    with pytest.raises(UnknownName, match="did you mean 'knn'"):
        load_registry().parse("vote(of=KNN)")


def test_all_is_every_strategy_that_asks_for_it_and_starts_with_the_baseline() -> None:
    found = [c.text for c in load_registry().parse("all")]
    assert found[0] == "erm"
    assert len(found) == len(set(found))
    strategies = load_registry().strategies
    assert set(found) == {name for name, cls in strategies.items() if cls.in_all} != set(strategies)


def test_baselines_are_declared() -> None:
    registry = load_registry()
    found = [c.text for c in registry.baselines()]
    assert found[0] == "erm"
    assert set(found) == {name for name, cls in registry.strategies.items() if cls.baseline}
    assert {"svm", "knn", "best_classical"} < set(found)
    assert "sklearn" not in found


@pytest.mark.parametrize("group", [*groups()])
def test_a_group_is_each_of_its_strategies_alone(group: str) -> None:
    registry = load_registry()
    expected = {name for name, cls in registry.strategies.items() if membership(group)(cls)}
    assert {c.text for c in registry.parse(group)} == expected


def test_every_bundled_strategy_has_a_family_and_all_contains_core() -> None:
    registry = load_registry()
    assert {name for name, cls in registry.strategies.items() if not cls.family} == {"erm"}
    core, everything = ({c.text for c in registry.parse(group)} for group in ("core", "all"))
    assert "erm" in core <= everything


def test_duplicates_collapse_and_lists_expand() -> None:
    found = load_registry().parse("focal(gamma=[0, 2]), focal, erm+focal")
    assert [c.text for c in found] == ["focal(gamma=0.0)", "focal"]


def test_conflicts_name_both_components() -> None:
    with pytest.raises(ConflictError, match="transfer and maml both own"):
        load_registry().parse("transfer+maml")
    with pytest.raises(ConflictError, match="focal is named twice"):
        load_registry().parse("focal+focal(gamma=1)")


class Undecorated(Strategy):
    name = "undecorated"


@dataclass(frozen=True)
class Needy(Strategy):
    name = "needy"
    size: int = field()


@dataclass(frozen=True)
class Nameless(Strategy):
    name = "no name"


@dataclass(frozen=True)
class Thief(Strategy):
    name = "erm"


@dataclass(frozen=True)
class Stringy(Strategy):
    name = "stringy"
    kinds = "image"  # type: ignore[assignment]


@dataclass(frozen=True)
class Short(Strategy):
    name = "short"

    def loss(self, logits, targets, ctx):  # type: ignore[no-untyped-def, override]
        return targets


@dataclass(frozen=True)
class Mistyped(Strategy):
    name = "mistyped"

    def losss(self, logits, targets, inner, ctx):  # type: ignore[no-untyped-def]
        return inner(logits, targets)


@dataclass(frozen=True)
class Parent(Strategy):
    name = "parent"
    amount: float = 0.1


@dataclass(frozen=True)
class Inherits(Parent):
    name = "inherits"
    amount = 0.5


def odd(**members: object) -> type[Strategy]:
    """A strategy with other members than `Bold`."""
    return dataclass(frozen=True)(type("Odd", (Strategy,), {"name": "odd", **members}))


def with_field(hint: object, default: object) -> type[Strategy]:
    return odd(field=default, __annotations__={"field": hint})


def keep_loss(self, logits, targets, inner, ctx):  # type: ignore[no-untyped-def]
    return inner(logits, targets)


def fit_resampled(self, train, inner, ctx):  # type: ignore[no-untyped-def]
    return (lambda: inner(self.resampled(train, ctx)))()


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (odd(uses="source"), "Odd.uses is 'source'; expected a set: {'source'}"),
        (odd(uses=lambda self: frozenset()), "Odd.uses is a method; put @property above it"),
        (odd(replaces=("loss",)), "Odd.replaces is ('loss',); expected a set of names"),
        (odd(yields="fit"), "Odd.yields is 'fit'; expected a set: {'fit'}"),
        (
            with_field(float, param(5.0, high=1)),
            "Odd() raises SpecError: odd(field=5.0): expected at most 1; mend its defaults",
        ),
        (
            with_field(tuple[int, ...], field(default_factory=tuple)),
            "field has no default; every hyperparameter needs one, by its value and not by a default_factory",
        ),
        (
            with_field(list[int], param(())),
            "Odd.field is annotated list[int]; expected bool, int, float, str, Literal[...], tuple[int, ...]",
        ),
        (with_field(Any, 3), "Odd.field is annotated Any; expected bool, int, float, str, "),
        (with_field(dict, None), "Odd.field is annotated dict; expected bool, int, float, str, "),
        (
            odd(a="x", __annotations__={"a": float}, __post_init__=lambda self: None),
            "__post_init__ leaves the arguments unchecked; call super().__post_init__() in it first",
        ),
        (
            with_field(int, param(1, tune=(0.5, 3.5))),
            "Odd.field: tune is (0.5, 3.5), but odd(field=0.5): expected a whole number, got 0.5; change",
        ),
        (
            with_field(str, param("a", tune=("a", 3))),
            "Odd.field: tune is ('a', 3), but odd(field=3): expected a name or text, got 3; change tune",
        ),
        (Stringy, "Stringy.kinds is 'image'; expected a set: {'image'}"),
        (
            Short,
            "Short.loss takes (self, logits, targets, ctx); expected (self, logits, targets, inner, ctx)",
        ),
        (Mistyped, "Mistyped overrides no stage 'loss'; it has a method 'losss': did you mean 'loss'?"),
        (
            odd(loss=keep_loss, augmant=lambda self, batch, ctx: batch),
            "Odd overrides no stage 'augment'; it has a method 'augmant': did you mean 'augment'?",
        ),
        (
            odd(cite="A (2001). B.", __annotations__={"cite": str}),
            "Odd: every strategy has cite, no hyperparameter; leave out the annotation, or choose another",
        ),
        (
            odd(augment=True, __annotations__={"augment": bool}),
            "Odd: every strategy has augment, no hyperparameter; leave out the annotation, or choose another",
        ),
        (odd(uses=property(lambda self: self.nothing)), "odd: uses raised AttributeError"),
        (odd(uses=property(lambda self: "source")), "odd: uses is 'source'; expected a set"),
        (odd(uses={"sources"}), "odd: uses names sources; known: "),
        (odd(results_version=2), "odd: results_version is 2; expected a text such as '2'"),
        (
            with_field(tuple[int, ...], param(())),
            "Odd: its arguments cannot be written as a text ('strategy(field=[[]])': an empty list",
        ),
        (
            odd(größe=1.5, __annotations__={"größe": float}),
            "Odd: its arguments cannot be written as a text (cannot read ",
        ),
        (
            with_field(float, field(init=False, default=1.0)),
            "Odd.field has init=False, so no text can set it",
        ),
        (
            with_field(Literal[1, 8], param(1, tune=(1, 8))),
            "Odd.field: tune is (1, 8), which means all numbers between; list the values as choices=(1, 8)",
        ),
        (
            Inherits,
            "Inherits.amount has a value but no annotation, so the inherited default stays; write amount",
        ),
        (odd(content_hash=lambda self: "1"), "Odd.content_hash is a method; put @property above it"),
        (odd(contents_hash=property(lambda self: "1")), "Odd has 'contents_hash', which nothing reads; did"),
        (odd(loss=keep_loss, kind={"table"}), "Odd has 'kind', which nothing reads; did you mean 'kinds'?"),
        (odd(loss=keep_loss, in_al=False), "Odd has 'in_al', which nothing reads; did you mean 'in_all'?"),
        (odd(loss=keep_loss, skips=lambda self, task: None), "Odd has 'skips', which nothing reads; did you"),
        (odd(replaces={"lost"}), "Odd.replaces: unknown stage 'lost'; did you mean 'loss'?"),
        (odd(yields={"fits"}), "Odd.yields: unknown stage 'fits'; did you mean 'fit'?"),
        (with_field(float, param(0.5, stage="fits")), "Odd.field: unknown stage 'fits'; did you mean 'fit'?"),
        (Undecorated, "put @dataclass(frozen=True) above it"),
        (Needy, "size has no default"),
        (Nameless, "expected a name such as 'focal'"),
        (Thief, "the strategy name 'erm' belongs to fsbench; choose another"),
        (int, "expected subclasses of fsbench.Strategy"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_refused_completely(cls: type, says: str) -> None:
    registry = registry_with(Bold, cls)
    assert says in registry.failures[0].message
    assert "bold" not in registry.strategies
    assert "focal" in registry.strategies


def test_methods_with_nearly_the_name_of_a_stage_may_help_it() -> None:
    helper = odd(fit=fit_resampled, resampled=lambda self, train, ctx: train, _losss=keep_loss)
    other = odd(loss=keep_loss, losses=keep_loss)
    assert not registry_with(helper).failures
    assert not registry_with(other).failures


def test_a_strategy_may_check_across_its_fields() -> None:
    def ordered(self: Any) -> None:
        Strategy.__post_init__(self)
        if self.low > self.high:
            raise SpecError("low is above high")

    registry = registry_with(
        odd(low=0.0, high=1.0, __annotations__={"low": float, "high": float}, __post_init__=ordered)
    )
    with pytest.raises(SpecError, match="expected a number, got text"):
        registry.parse("odd(low=text)")
    with pytest.raises(SpecError, match="low is above high"):
        registry.parse("odd(low=2)")


def test_attributes_with_nearly_the_name_of_one_of_strategy_may_be_read_by_its_code() -> None:
    reading = odd(fit=lambda self, train, inner, ctx: inner(train) if self.kind else None, kind="a")
    field = odd(loss=keep_loss, kind="a", __annotations__={"kind": str})
    assert not registry_with(reading).failures
    assert not registry_with(field).failures


def test_a_hook_without_a_return_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    forgetful = ModuleType("forgetful")
    forgetful.fsbench_datasets = hookimpl(lambda: None)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "forgetful", forgetful)
    (failure,) = load_registry(["forgetful"]).failures
    assert failure.message == "fsbench_datasets returned None; expected a list: is its return missing?"


@pytest.mark.parametrize(
    ("default", "says"),
    [
        ("erm, focall", "odd(field=\"erm, focall\"): unknown strategy 'focall'; did you mean 'focal'?"),
        ("odd", "odd is in a field of itself"),
        ("focal+odd", "odd is in a field of itself"),
        ("vote(of=odd)", "odd is in a field of itself"),
    ],
)
def test_wrong_members_by_default_are_refused_with_their_plugin(
    default: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "stranger", module(with_field(str, param(default, spec=True))))
    registry = load_registry(["stranger"])
    assert says in registry.failures[0].message
    assert registry.failures[0].plugin == "stranger"
    assert "focal" in [each.text for each in registry.parse("all")]


def test_a_strategy_may_name_itself_with_other_members(monkeypatch: pytest.MonkeyPatch) -> None:
    jury = with_field(str, param("erm, focal", spec=True))
    monkeypatch.setitem(sys.modules, "stranger", module(jury))
    (found,) = load_registry(["stranger"]).parse("odd(field=odd)")
    assert found.text == "odd(field=odd)"


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"skip": lambda self, task: task.nothing}, "^odd: skip raised AttributeError: .*'nothing'; mend it"),
        ({"skip": lambda self, task: False}, "^odd: skip returned False; expected None, or in a text why"),
        ({"content_hash": property(lambda self: 1 / 0)}, "^odd: content_hash raised ZeroDivisionError"),
        ({"content_hash": property(lambda self: 3)}, "^odd: content_hash is 3; expected a text, such as"),
    ],
)
def test_errors_of_what_a_strategy_says_of_itself_name_it(members: dict[str, object], says: str) -> None:
    registry = registry_with(odd(**members))

    def asked() -> tuple[object, ...]:
        (found,) = registry.parse("odd")
        return found.skip(toy_split().info), found.full_spec

    with pytest.raises(PluginError, match=says):
        asked()


def test_a_module_that_cannot_be_imported_is_reported_and_does_not_hide_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_plugin.py").write_text("import nothing_of_that_name\n")
    (tmp_path / "leaving_plugin.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = load_registry(["broken_plugin", "leaving_plugin"])
    assert [f.plugin for f in registry.failures] == ["broken_plugin", "leaving_plugin"]
    assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in registry.failures[0].message
    assert "focal" in registry.strategies


def test_the_environment_names_more_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FSBENCH_PLUGINS", "one, two.three ,")
    assert extra_modules() == ["one", "two.three"]


def test_every_public_name_is_there_and_sorted() -> None:
    assert fsbench.__all__ == sorted(fsbench.__all__)
    for name in fsbench.__all__:
        assert getattr(fsbench, name) is not None
    assert set(fsbench.__all__) == set(fsbench._HOMES)
    with pytest.raises(AttributeError, match="no attribute 'nope'"):
        fsbench.nope  # noqa: B018


def test_import_of_the_package_and_its_plugins_stays_light() -> None:
    import subprocess

    code = (
        "import sys, fsbench.registry as r; r.load_registry().parse('all');"
        "heavy = {'torch', 'pandas', 'sklearn', 'scipy', 'matplotlib', 'imblearn'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@dataclass(frozen=True)
class OnImages(Strategy):
    name = "on_images"
    kinds = frozenset({"images"})

    def augment(self, batch, ctx):  # type: ignore[no-untyped-def]
        return batch


def test_a_strategy_for_an_unknown_kind_is_refused_with_its_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stranger", module(Bold, OnImages))
    registry = load_registry(["stranger"])
    assert "bold" not in registry.strategies
    (failure,) = registry.failures
    assert (
        failure.said
        == "plugin stranger could not be loaded: OnImages.kinds: unknown kind 'images'; did you mean 'image'?"
    )


def test_a_kind_may_come_from_a_plugin_that_is_loaded_later(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = ModuleType("kinds")
    kinds.fsbench_kinds = hookimpl(lambda: [type("Images", (Image,), {"name": "images"})()])  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kinds", kinds)
    monkeypatch.setitem(sys.modules, "stranger", module(OnImages))
    registry = load_registry(["stranger", "kinds"])
    assert registry.failures == []
    assert "on_images" in registry.strategies
