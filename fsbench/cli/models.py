"""`fsbench fit` and `fsbench predict`: a model to take home."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from fsbench.cli.options import PATH
from fsbench.cli.output import say, working
from fsbench.cli.own_data import own_data_options, take_own_data
from fsbench.cli.suggest import OptionsCommand
from fsbench.errors import StoreError, UsageError
from fsbench.files import check_writable, replacing

_MODEL = "fsbench-model"


@click.command(cls=OptionsCommand, short_help="Fit a strategy on all your labels; save it.")
@own_data_options()
@click.option("--strategy", metavar="SPEC", required=True, help="What to fit: one spec, such as probe.")
@click.option(
    "--output",
    type=PATH,
    default=_MODEL,
    show_default=True,
    metavar="DIR",
    help="The folder of the model.",
)
@click.option("--recipe", default="", metavar="CHANGES", help="Changes to the recipe: steps=100, lr=0.01.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The seed of all random numbers."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Worker processes.  [default: one per core]"
)
@click.option("--device", default="auto", show_default=True, metavar="DEVICE", help="Where to train.")
@click.option("--onnx/--no-onnx", default=True, help="Also write a network as ONNX, if it can be exported.")
@click.option(
    "--timeout", type=float, metavar="SECONDS", help="The time limit of a training.  [default: 300]"
)
def fit(strategy: str, output: Path, **options: Any) -> None:
    """Fit a strategy on all labels of your data and save the model for `fsbench predict`."""
    data = take_own_data(options)
    if data is None:
        raise UsageError("a model is fitted on your own data; give --data PATH")
    with working("reading your data", plainly=True) as observer:
        from fsbench.models import refit

        def tell(line: str) -> None:
            say(line)
            observer.doing(line)

        model = refit(strategy, data, output=output, observer=observer, tell=tell, **options)
    card, found = model.card, model.card.calibration
    if "accuracy" in found:
        say(f"{found['accuracy']:.1%} of {found['labels']} labels right in cross-validation")
    say(f"temperature of probabilities: {card.temperature:.2f} ({found['how']})")
    say(f"wrote the model to {output}; `fsbench predict {shlex.quote(str(output))} INPUTS` uses it")


@click.command(short_help="Predict with a saved model.")
@click.argument("model", type=PATH)
@click.argument("inputs", type=PATH)
@click.option("--output", type=PATH, metavar="FILE.csv", help="A file instead of stdout.")
def predict(model: Path, inputs: Path, output: Path | None) -> None:
    """Predict the classes of INPUTS by a saved MODEL: a CSV with the probability of each class.

    INPUTS are in the form of the data that the model was fitted on, without labels: a folder of images or
    texts, one image or text, a table with the same columns, or an npz with x.
    """
    with working("reading the model", plainly=True) as observer:
        from fsbench.models import load
        from fsbench.models.card import FILE

        loaded = load(model)
        if output is not None:
            _check_output(output, inputs, [model / name for name in (FILE, *loaded.card.files)])
        observer.doing("reading the inputs and predicting")
        found = loaded.predict(inputs, observer.reading)
    if "test_inputs" in loaded.card.uses:
        say("warning: this model adapts to its inputs: what it predicts for one depends on the others")
    for line in found.warnings:
        say(f"warning: {line}")
    if output is None:
        click.echo(found.to_csv(), nl=False)
        return
    try:
        with replacing(output) as draft:
            draft.write_text(found.to_csv(), encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error.strerror or error}") from None
    say(f"wrote {output}")


def _check_output(output: Path, inputs: Path, of_model: Iterable[Path]) -> None:
    """Raise UsageError if a file cannot be written, or is one of those to predict from.

    A CSV in a folder of inputs is not.
    """
    if not output.exists():
        check_writable(output.absolute().parent, output)
        return
    if output.is_dir() or not os.access(output, os.W_OK):
        raise UsageError(f"cannot write {output}; name another file")
    read = inputs.is_dir() and output.suffix.lower() != ".csv"
    inside = read and output.resolve().is_relative_to(inputs.resolve())
    if inside or any(each.exists() and each.samefile(output) for each in (inputs, *of_model)):
        raise UsageError(f"--output {output} is one of the files to predict from; name another file")
