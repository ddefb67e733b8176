"""How components form one strategy: its text, its identity, and who acts in which order in each stage."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fsbench.declared import asked, check_uses, content_hash, skip_reason
from fsbench.errors import ConflictError, PluginError
from fsbench.kinds import FEATURES
from fsbench.spec import specs
from fsbench.stages import STAGES
from fsbench.strategy import (
    Strategy,
    excludes,
    overrides,
    owned_arguments,
    spec_fields,
    to_call,
)
from fsbench.types import Recipe, TaskInfo

BASELINE = "erm"


@dataclass(frozen=True)
class Composition:
    """Components joined by `+`. The baseline is the neutral element: `erm+focal` is `focal`.

    `fsbench.stages` defines the law by which components compose in each stage; a component that owns a stage
    (`replaces`, or `yields` where no other one does) is the innermost. Raises ConflictError if two components
    own one stage or one component is named twice, PluginError for an unknown word in `uses`.

    `code_marks` maps the name of a component to the mark of its code (`fsbench.code`). `members` contains the
    strategies that the fields of components name, by component and text.
    """

    components: tuple[Strategy, ...]
    code_marks: Mapping[str, str] = field(default_factory=dict, hash=False)
    members: Mapping[tuple[str, str], Composition] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        kept = tuple(c for c in self.components if c.name != BASELINE)
        object.__setattr__(self, "components", kept or self.components[:1])
        names = [c.name for c in self.components]
        for name in names:
            if names.count(name) > 1:
                raise ConflictError(f"{'+'.join(names)}: {name} is named twice; use it once in a spec")
        for component in self.components:
            check_uses(component)
        for stage in STAGES:
            self._check_owners(stage)
        self._check_embedding()

    def _check_owners(self, stage: str) -> None:
        """Raise ConflictError for two owners of a stage, or for arguments that its owner makes idle."""
        owners, whole = self._owners(stage), "+".join(c.name for c in self.components)
        if len(owners) > 1:
            raise ConflictError(
                f"{whole}: {owners[0].name} and {owners[1].name} both own the stage {stage!r}; "
                "leave one of them out"
            )
        for component in self.components:
            given = owned_arguments(component, stage)
            if given and owners and component is not owners[0]:
                raise ConflictError(
                    f"{whole}: {given[0]} of {component.name} and {owners[0].name} both decide the stage "
                    f"{stage!r}; leave one of them out"
                )

    def _check_embedding(self) -> None:
        """Raise ConflictError if a component that embeds gets features, and does not work on them."""
        first, *others = self.chain("embed") or (None,)
        for other in others:
            if first and other.kinds is not None and FEATURES not in other.kinds:
                raise ConflictError(
                    f"{'+'.join(c.name for c in self.components)}: {other.name} works on "
                    f"{' and '.join(sorted(other.kinds))} data, not on features, which {first.name} makes of "
                    "it; leave one of them out"
                )

    def _owners(self, stage: str) -> list[Strategy]:
        """The components that own a stage; those that yield it only if no other one does."""
        owners = [c for c in self.components if stage in c.replaces]
        return owners or [c for c in self.components if stage in c.yields]

    @property
    def text(self) -> str:
        """The canonical spec, with the arguments that differ from the defaults."""
        return "+".join(str(to_call(c)) for c in self.components)

    @property
    def full_text(self) -> str:
        """The canonical spec with every argument."""
        return "+".join(str(to_call(c, full=True)) for c in self.components)

    @functools.cached_property
    def full_spec(self) -> str:
        """What identifies a result: every argument and, each after a `#`, the hashes of contents and code.

        `mine(rate=1.0, weights="w.pt")#sha256:9f86d081884c#code+1a2b3c4d`; an argument that names
        strategies holds their full specs.
        """
        terms = []
        for component in self.components:
            call = to_call(component, full=True, member=self._member_spec(component))
            marks = content_hash(component), self.code_marks.get(component.name, "")
            terms.append("#".join([str(call), *filter(None, marks)]))
        return "+".join(terms)

    def _member_spec(self, component: Strategy) -> Callable[[str], str]:
        return lambda text: self.member(component.name, text).full_spec

    def member(self, component: str, text: str) -> Composition:
        """A strategy that a field of a component names. Raises PluginError if no field names it."""
        if (component, text) not in self.members:
            raise PluginError(
                f"{component}: no field that holds specs names {text!r}; give it param(..., spec=True)"
            )
        return self.members[component, text]

    def members_of(self, component: Strategy) -> tuple[Composition, ...]:
        """The strategies that the fields of a component name, in the order of the fields."""
        texts = [text for name in spec_fields(component) for text in specs(getattr(component, name))]
        return tuple(self.member(component.name, text) for text in texts)

    @property
    def all_components(self) -> tuple[Strategy, ...]:
        """The components, each followed by the components of the strategies that its fields name."""
        found: list[Strategy] = []
        for component in self.components:
            found.append(component)
            for member in self.members_of(component):
                found += member.all_components
        return tuple(found)

    @property
    def baseline(self) -> bool:
        """Whether it is one component that is declared as a baseline."""
        return len(self.components) == 1 and self.components[0].baseline

    @property
    def uses(self) -> frozenset[str]:
        """What the components, and the strategies that their fields name, use beyond the training labels."""
        return frozenset().union(*(c.uses for c in self.all_components))

    def skip(self, task: TaskInfo) -> str | None:
        """The first reason why a component cannot run on a task, by itself or with the others, or None."""
        for ask in (self._skip_alone, self._skip_beside):
            for component in self.components:
                reason = ask(component, task)
                if reason is not None:
                    return reason if len(self.components) == 1 else f"{component.name}: {reason}"
        return None

    def narrow(self, task: TaskInfo) -> TaskInfo:
        """The task as the components together leave it."""
        return functools.reduce(lambda left, component: component.narrow(left), self.components, task)

    def _skip_alone(self, component: Strategy, task: TaskInfo) -> str | None:
        reason = excludes(component, task.kind) or skip_reason(component, task)
        for member in self.members_of(component) if reason is None else ():
            reason = member.skip(component.narrow(task))
            if reason is not None:
                return f"{member.text}: {reason}"
        return reason

    def _skip_beside(self, component: Strategy, task: TaskInfo) -> str | None:
        """Why a component cannot run on a task as the other components leave it, or None."""
        left, takers = task, []
        for other in self.components:
            before = left
            left = left if other is component else other.narrow(left)
            takers += [other.name] if left != before else []
        reason = skip_reason(component, left) if takers else None
        return None if reason is None else f"{reason} beside {' and '.join(takers)}"

    def check_recipe(self, recipe: Recipe) -> None:
        """Let each component refuse a recipe with UsageError, unless another one may change it first."""
        for component in self.components:
            if not any(overrides(c, "configure") for c in self.components if c is not component):
                asked(component, "check_recipe", functools.partial(component.check_recipe, recipe))
                for member in self.members_of(component):
                    member.check_recipe(recipe)

    def owner(self, stage: str) -> Strategy | None:
        """The component that owns a stage, or None."""
        return next(iter(self._owners(stage)), None)

    def chain(self, stage: str) -> tuple[Strategy, ...]:
        """The components that change a stage, in the order in which they act, with its owner first."""
        return self._chains[stage]

    @functools.cached_property
    def _chains(self) -> dict[str, tuple[Strategy, ...]]:
        found = {}
        for stage in STAGES:
            owner = self.owner(stage)
            acting = [c for c in self.components if overrides(c, stage)]
            acting = [c for c in acting if c is owner or stage not in c.yields]
            found[stage] = tuple(sorted(acting, key=lambda c: c is not owner))
        return found
