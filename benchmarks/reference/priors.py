"""R12: logit adjustment after the fact on imbalanced classes."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.reference.rows import Band, Line, Options, Outcome, Row
from benchmarks.reference.running import Measured, differences, trial_seconds
from fsbench import load_suite
from fsbench.recipes.recipe import parse_overrides

_SUITE, _METRIC = "starter-v1", "balanced_accuracy"
_SPEC = "logit_adjustment(mode=post_hoc)"
# Kind of samples, task, and what was measured before: plain training, adjusted with tau = 1.
_TASKS = (
    ("image", "longtail(digits, ir=20)", 75.5, 83.6),
    ("table", "longtail(breast_cancer, ir=20)", 58.8, 78.2),
)
_AROUND = 1.5


def priors(options: Options) -> Outcome:
    """Balanced accuracy of plain training before and after the priors of training are taken out."""
    suite = load_suite(_SUITE)
    assert isinstance(suite.recipe, Mapping), "the suite names a recipe for each kind"
    lines, runs = [], []
    for kind, task, before, after in _TASKS:
        recipe = parse_overrides(suite.recipe[kind])
        measured = Measured(options, task, _SPEC, 10 if not options.short else 3, recipe)
        runs.append(measured)
        plain, adjusted = (measured.metric(task, spec, _METRIC) for spec in ("erm", _SPEC))
        for what, published, values in (("erm", before, plain), (_SPEC, after, adjusted)):
            band = Band(published - _AROUND, published + _AROUND)
            lines.append(Line(f"{task}, `{what}`", f"{published}", values, "seeds", band))
        lines.append(Line(f"{task}, gain", f"{after - before:.1f}", differences(adjusted, plain), "seeds"))
    return Outcome(
        lines, runs[0].device, trial_seconds(*runs), ["tau 1; the priors are those of the training part"]
    )


R12 = Row(
    "R12",
    "logit adjustment after the fact",
    f"Plain training by the recipe of `{_SUITE}`; then the logarithms of the classes' shares of the training "
    "labels are subtracted from the logits (Menon et al. 2021). Balanced accuracy.",
    priors,
    short="three seeds",
)
