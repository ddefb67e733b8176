"""The commands of the reference results: verdicts, printed text, a tiny run, and the identities of R6."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from fsbench.registry import get_registry
from fsbench.tasks.expressions import parse_tasks

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from benchmarks.reference import __main__ as command  # noqa: E402
from benchmarks.reference import (  # noqa: E402
    adaptation,
    deic,
    episodes,
    identities,
    noise,
    priors,
    semi_supervised,
    tables,
    without_source,
)
from benchmarks.reference.rows import Band, Line, Options, Outcome, Row, render  # noqa: E402

DOC = (ROOT / "docs" / "reference-results.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("band", "value", "inside"),
    [
        (Band(97.5), 97.5, True),
        (Band(97.5), 97.49, False),
        (Band(None, 1e-12), 0.0, True),
        (Band(None, 1e-12), 2e-12, False),
        (Band(86, 91), 91, True),
        (Band(86, 91), 91.01, False),
        (Band(86, 91), 85.99, False),
        (Band(), -5.0, True),
    ],
)
def test_a_band_includes_its_ends(band: Band, value: float, inside: bool) -> None:
    assert band.holds(value) is inside


def test_the_verdict_is_on_the_mean_as_it_is_printed() -> None:
    assert Line("x", "-", [97.4, 97.5], "seeds", Band(97.5), digits=2).verdict == "OUTSIDE"
    assert Line("x", "-", [97.4, 97.6], "seeds", Band(97.5)).verdict == "inside"
    assert Line("x", "-", [10.0], "seeds").verdict == "-"


def test_a_line_shows_the_mean_and_half_of_the_95_percent_interval() -> None:
    line = Line("what", "89.7", [80.0, 82.0, 84.0], "seeds", Band(86, 91))
    # Student's t with two degrees of freedom: 4.303 * 2 / sqrt(3).
    assert line.cells() == ["what", "89.7", "82.0 ± 5.0", "3 seeds", "86 to 91", "OUTSIDE"]
    assert Line("what", "-", [80.0], "seeds").cells()[2:4] == ["80.0", "1 seed"]
    assert Line("what", "equal", [3.34e-15], "try", Band(None, 1e-12), None).cells()[2] == "3.3e-15"


def row(measure: object) -> Row:
    return Row("R9", "a title", "A protocol.", measure, short="one seed")  # type: ignore[arg-type]


def test_the_printed_text_is_complete() -> None:
    outcome = Outcome([Line("gain", "+10", [12.0], "seeds", Band(10))], "a device", 61.4, ["a note"])
    text = render(row(None), outcome, "python -m benchmarks.reference R9 --short", "2026-01-31")
    assert text == (
        "## R9: a title\n\nA protocol. Short version: one seed.\n\n"
        "| what | published | measured | over | band | verdict |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| gain | +10 | 12.0 | 1 seed | ≥ 10 | inside |\n\n"
        "- a note\n"
        "- `python -m benchmarks.reference R9 --short`: 61 s of trials on a device, 2026-01-31\n"
    )


@pytest.mark.parametrize(("value", "status"), [(12.0, 0), (9.0, 1)])
def test_the_command_ends_with_1_for_a_number_outside_its_band(
    value: float,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    seen: list[Options] = []

    def measure(options: Options) -> Outcome:
        seen.append(options)
        return Outcome([Line("gain", "+10", [value], "seeds", Band(10))], "a device", 1.0)

    monkeypatch.setitem(command.ROWS, "R9", row(measure))
    arguments = ["R9", "--short", "--jobs", "1", "--results", str(tmp_path)]
    assert command.main(arguments) == status
    assert "`python -m benchmarks.reference R9 --short`" in capsys.readouterr().out
    assert (seen[0].results, seen[0].short, seen[0].jobs) == (tmp_path / "R9", True, 1)


@pytest.mark.parametrize(
    "arguments", [["R99"], ["R6", "--short"], ["R1", "--only", "7w7s"], ["R6", "--only", "x"]]
)
def test_a_wrong_command_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main(arguments)
    assert caught.value.code == 2


def test_a_row_runs_on_bundled_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny = {"mnist-digits": ("shift(mnist5k(size=8), digits)", "some", "more")}
    monkeypatch.setattr(adaptation, "_TASKS", tiny)
    monkeypatch.setattr(
        adaptation, "RECIPE", adaptation.RECIPE | {"backbone": "lenet", "steps": 3, "batch_size": 8}
    )
    outcome = adaptation.dann(Options(tmp_path, short=True, jobs=1, device="cpu"))
    source, ours, gain = outcome.lines
    assert gain.mean == pytest.approx(ours.mean - source.mean)
    assert 0 <= ours.mean <= 100
    assert "torch" in outcome.device
    assert outcome.seconds > 0


def test_every_identity_holds() -> None:
    outcome = identities.identities(Options(Path()))
    assert [line.verdict for line in outcome.lines] == ["inside"] * 11


def test_a_broken_identity_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    real = identities._loss_of
    monkeypatch.setattr(
        identities, "_loss_of", lambda spec, classes: lambda z, t: (1 + 1e-9) * real(spec, classes)(z, t)
    )
    verdicts = [line.verdict for line in identities.identities(Options(Path())).lines]
    assert verdicts == ["OUTSIDE"] * 10 + ["inside"]


def test_r5_has_one_dataset_of_each_family_by_the_rule() -> None:
    ratios = {"keel-yeast4": 28.0, "keel-yeast6": 41.0, "keel-car_good": 24.0, "keel-abalone19": 129.0}
    assert tables.chosen(ratios) == ["keel-abalone19", "keel-car_good", "keel-yeast6"]
    names = tables.chosen(tables.imbalanced())
    assert len(names) == len({tables.family(name) for name in names}) == 20


def test_the_specs_of_every_row_can_be_read() -> None:
    registry = get_registry()
    others = [deic._CROP_AND_FLIP, adaptation._SPEC, priors._SPEC, without_source._IM, without_source._FULL]
    others += [*semi_supervised._SPECS, episodes._MATCHING, episodes._BASELINE_PP]
    for spec in [*others, *tables._MODELS.values(), *tables._METHODS.values()]:
        assert registry.parse(spec)
    assert episodes.R1.parts == ("5w1s", "5w5s", "20w1s", "20w5s")
    assert parse_tasks("shift(mnist5k(size=8), digits)")


def test_the_page_holds_every_row_and_only_known_verdicts() -> None:
    for name in command.ROWS:
        assert re.search(rf"^## {name}: ", DOC, re.MULTILINE), f"{name} is not in docs/reference-results.md"
    rows = [line.split(" | ") for line in DOC.splitlines() if line.startswith("| ") and "---" not in line]
    verdicts = {cells[-1].rstrip(" |") for cells in rows if len(cells) == 6}
    assert verdicts <= {"verdict", "inside", "OUTSIDE", "-"}


def test_r10_compares_on_each_noise_that_it_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tiny = {"symmetric50": ("half", "noisy(digits, k=5, rate=0.4)", "66.1", "91.7", 0.5)}
    monkeypatch.setattr(noise, "_NOISE", tiny)
    monkeypatch.setattr(noise, "RECIPE", noise.RECIPE | {"steps": 3})
    lines = noise.noise(Options(tmp_path, short=True, jobs=1, device="cpu")).lines
    alone, paired, gain, *_ = lines
    assert gain.mean == pytest.approx(paired.mean - alone.mean)
    assert [line.band for line in lines] == [None, None, Band(10), None, Band(10)]


@pytest.mark.slow
def test_r8_compares_with_training_on_the_source_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tiny = {"mnist-digits": ("shift(mnist5k(size=8), digits)", "88.0", "97.6", "98.0")}
    monkeypatch.setattr(without_source, "_TASKS", tiny)
    small = {"backbone": "lenet(norm=batch)", "steps": 3}
    monkeypatch.setattr(without_source, "RECIPE", without_source.RECIPE | small)
    for name in ("_IM", "_FULL"):
        short = getattr(without_source, name).replace("adapt_steps=1000", "adapt_steps=3")
        monkeypatch.setattr(without_source, name, short)
    lines = without_source.shot(Options(tmp_path, short=True, jobs=1, device="cpu")).lines
    assert [line.band for line in lines] == [None, None, Band(95), Band(95)]
    assert lines[2].what.startswith("MNIST→DIGITS, SHOT-IM")
    assert len({line.mean for line in lines}) == len(lines)


def test_r9_counts_errors_and_their_share_of_plain_trainings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(semi_supervised, "TASK", "kshot(digits, k=5, val=0, unlabeled=all)")
    monkeypatch.setattr(semi_supervised, "_SPECS", {"pseudo_label": "below 2.5", "vat": "1.36"})
    monkeypatch.setattr(semi_supervised, "RECIPE", semi_supervised.RECIPE | {"backbone": "mlp", "steps": 20})
    lines = semi_supervised.semi_supervised(Options(tmp_path, short=True, jobs=1, device="cpu")).lines
    plain, first, share, second, _, best = lines
    assert share.mean == pytest.approx(first.mean / plain.mean)
    assert best.mean == min(first.mean, second.mean)
    assert best.band == Band(None, 2.5)


@pytest.mark.slow
def test_r11_measures_both_strategies_in_each_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(episodes, "OMNIGLOT", "glyphs(size=8)")
    monkeypatch.setattr(episodes, "_TESTED", 3)
    monkeypatch.setattr(episodes, "_MATCHING", "matching(train_way=5, meta_steps=2)")
    monkeypatch.setattr(episodes, "_BASELINE_PP", "baseline_pp(source_steps=2, source_passes=0)")
    outcome = episodes.comparisons(Options(tmp_path, jobs=1, device="cpu", only="5w1s"))
    assert [len(line.values) for line in outcome.lines] == [3, 3]
    assert "baseline_pp" in outcome.lines[1].what
