"""`fsbench publish`, `merge` and `verify`: results that go from one person to another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fsbench.cli.boards import results_given, select, whole_records
from fsbench.cli.options import PATH, PUBLISHED_FILE, GivenPath, suite_option
from fsbench.cli.output import say, show, table, working
from fsbench.columns import Columns
from fsbench.errors import UsageError
from fsbench.record import Record
from fsbench.store import Store
from fsbench.tasks.suites import load_suite
from fsbench.words import plural

if TYPE_CHECKING:
    from fsbench.report.published import Contents

WITHOUT_SUITE = "results"
by_option = click.option(
    "--by", default="", metavar="NAME", help="Your name, as readers of the file will see it."
)
replace_option = click.option(
    "--replace", is_flag=True, help="Replace the file even if it has results of other people."
)


@click.command(short_help="Write results as a file for others.")
@click.argument("results", type=GivenPath(exists=True))
@click.argument("folder", metavar="DIR", type=PATH)
@suite_option
@by_option
@click.option("--predictions", is_flag=True, help="Also write the logits of every trial's test part.")
@click.option("--part", is_flag=True, help="With --suite: publish its complete tasks, as NAME-part.")
@replace_option
def publish(
    results: Path, folder: Path, suite: str | None, by: str, predictions: bool, part: bool, replace: bool
) -> None:
    """Write the records of the folder RESULTS into DIR, for others: as JSON Lines, with a page of tables.

    DIR/README.md becomes an index of all published files in DIR. With --suite the files are named after it,
    and only complete results are published, or with --part the complete tasks among them. RESULTS can also be
    a published file, which is added to DIR; if it is there already, its page and the index are written anew.

    A file that you published before is replaced, and what others said about unchanged trials is kept.
    """
    from fsbench.report.publishing import write_index

    if results.is_file():
        if suite is not None or by or predictions or part:
            raise UsageError(
                f"--suite, --by, --predictions and --part are for a results folder; {results} is a file"
            )
        _add(results, folder, replace)
    else:
        if part and suite is None:
            raise UsageError("--part is for a part of a suite; name it with --suite")
        _publish(results, folder, suite, by, predictions, part, replace)
    with working("writing the index", plainly=True):
        found = write_index(folder)
    say(f"wrote {found}" if found else f"left {folder / 'README.md'} as it is, because it is not an index")


def _publish(
    results: Path, folder: Path, suite: str | None, by: str, predictions: bool, part: bool, replace: bool
) -> None:
    """Publish the records of a results folder."""
    from fsbench.report.logits import beside, write_predictions
    from fsbench.report.published import gathered

    with working("reading the results"), Store(results, create=False) as store:
        columns, every = select(store.columns([]), suite, None, results), store.records()
    _refuse_looks(columns)
    records = whole_records(every, columns)
    groups = [[record for record in records if bool(record.tuning) == tuned] for tuned in (False, True)]
    groups = [_of_one_version(some) for some in groups if some]
    if suite is not None:
        groups = [_complete(some, suite, part, results) for some in groups if some]
    evidence = columns.evidence
    found = {folder / _name(some, suite, part): some for some in groups if some}
    if not found:
        raise UsageError(
            f"{results} has no results to publish; `fsbench run{results_given(results)}` makes them"
        )
    old = {path: _present(path, [by] if by else [], replace) for path in found}
    for path, some in found.items():
        with working("gathering what is published"):
            contents = gathered(some, evidence, by)
        _write(contents, path, old[path])
        if predictions:
            with working("writing the predictions", plainly=True):
                write_predictions([record.key for record in some], evidence, beside(path))
            say(f"wrote {beside(path)}")


def _of_one_version(records: Sequence[Record]) -> list[Record]:
    """The records that are published; those of other versions of the code are said."""
    from fsbench.report.one_version import records_of_one_version

    kept, lines = records_of_one_version(records)
    for line in lines:
        say(line.partition(";")[0])  # what follows is an option of tables
    return kept


def _name(records: Sequence[Record], suite: str | None, part: bool) -> str:
    """The name of the file of some records, tuned or not."""
    return f"{suite or WITHOUT_SUITE}{'-part' if part else ''}{'-tuned' if records[0].tuning else ''}.jsonl"


def _present(path: Path, publishers: Sequence[str], replace: bool) -> Contents | None:
    """What a file that is to be replaced contains.

    Raises UsageError for another publisher's, and for what is no page in the place of its page.
    """
    from fsbench.report.publishing import check_page
    from fsbench.report.replacing import present, refuse_other

    check_page(path)
    if replace:
        return None
    with working(f"reading {path.name}"):
        old = present(path)
    refuse_other(path, old, publishers)
    return old


def _write(contents: Contents, path: Path, old: Contents | None) -> None:
    """Write a published file with its page, and with what was said about the trials of the old one.

    What the old one had and the new one lacks is said.
    """
    from fsbench.report.publishing import write_published
    from fsbench.report.replacing import said_loss, with_verifications

    contents, left_out = with_verifications(contents, old)
    with working("making the page", plainly=True):
        page = write_published(contents, path)
    for line in filter(None, (left_out, said_loss(path, old, contents))):
        say(line)
    say(f"wrote {path} with {plural(len(contents.records), 'record')}, and {page}, with figures")


def _add(file: Path, folder: Path, replace: bool) -> None:
    """Add a published file to a folder, or renew its page if it is there already."""
    from fsbench.report.board import read_board
    from fsbench.report.publishing import write_page

    place = folder / file.name
    if place.exists() and place.samefile(file):
        with working("making the page", plainly=True):
            page = write_page(place)
        say(f"wrote {page}, with figures")
        return
    with working(f"reading {file.name}"):
        contents = read_board(file).contents
    _write(contents, place, _present(place, contents.publishers, replace))


@click.command(short_help="Join published files.")
@click.argument("files", nargs=-1, metavar="FILES...", type=PUBLISHED_FILE)
@click.argument("out", type=PATH)
@click.option(
    "--any-version", is_flag=True, help="Also join results of different versions of Python and packages."
)
@replace_option
def merge(files: tuple[Path, ...], out: Path, any_version: bool, replace: bool) -> None:
    """Join published FILES of several people into the file OUT, with a page of tables beside it.

    Only like is joined with like: the same splits, recipes, code and versions.
    """
    from fsbench.report.merging import merge as merged
    from fsbench.report.publishing import check_page, renew_index
    from fsbench.report.replacing import present, refuse_loss

    if len(files) < 2:
        given = " and ".join(map(str, (*files, out)))
        raise UsageError(f"{given}: give at least two published files, and then the file to write")
    if out.suffix != ".jsonl":
        raise UsageError(f"{out}: expected a file whose name ends in .jsonl, after the files to join")
    check_page(out)
    with working("joining the files"):
        contents, lines = merged(files, any_version)
        old = None if replace else present(out)
    refuse_loss(out, old, contents)
    for line in lines:
        say(line)
    _write(contents, out, old)
    with working("writing the index", plainly=True):
        renew_index(out.parent)


@click.command(short_help="Run a sample of a published file again.")
@click.argument("file", type=PUBLISHED_FILE)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="How many trials to run again.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="The seed of the sample; another seed draws other trials.",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), metavar="N", help="Worker processes.  [default: one per core]"
)
@click.option(
    "--device", default="auto", show_default=True, metavar="DEVICE", help="auto, cpu, cuda or cuda:N."
)
@click.option("--timeout", type=float, metavar="SECONDS", help="The time limit of a trial.")
@by_option
def verify(
    file: Path, sample: int, seed: int, jobs: int | None, device: str, timeout: float | None, by: str
) -> int:
    """Run sampled trials of a published FILE again, and say how the results agree.

    With --by, the file gets a line that says so, and leaderboards show it. Exit status 1 if a result is not
    reproduced, or none could be run.
    """
    from fsbench.verifying import NOT_RUN, sign
    from fsbench.verifying import verify as verified

    with working(f"reading {file.name}", plainly=True) as observer:
        found = verified(
            file, sample, seed=seed, jobs=jobs, device=device, timeout=timeout, observer=observer
        )
    rows = [(c.record.spec, c.record.task, c.record.split_seed, c.outcome, c.detail) for c in found]
    show(table(("strategy", "task", "split", "outcome", "details"), rows))
    counts = Counter(each.outcome for each in found)
    click.echo(f"{file}: {', '.join(f'{counts[word]} {word}' for word in sorted(counts))}")
    if by and len(found) > counts[NOT_RUN]:
        with working("signing the file and making its page", plainly=True):
            sign(file, found, by)
    return int(counts["mismatch"] > 0 or counts[NOT_RUN] == len(found))


def _refuse_looks(columns: Columns) -> None:
    """Raise UsageError for results whose number of split seeds depends on them."""
    if columns.evidence.looks:
        raise UsageError(
            "these results were collected with --until-settled, so their number of split seeds depends on "
            "them; publish those of a run with a number that was chosen beforehand"
        )


def _complete(records: Sequence[Record], name: str, part: bool, results: Path) -> list[Record]:
    """The records of a suite in a results folder, or with `part` those of its complete tasks.

    Raises UsageError for tasks that are not complete, with `part` if none is, and for results of several
    searches.
    """
    from fsbench.report.publishing import trials_without_record

    if len(searches := {record.tuning for record in records if record.tuning}) > 1:
        raise UsageError(
            f"results of {' and '.join(sorted(searches))}, of which only one can be published; use a results "
            "folder for each"
        )
    lacking = trials_without_record(records, load_suite(name))
    tasks = {record.task for record in records}
    complete, begun = tasks - set(lacking), [task for task in lacking if task in tasks]
    if not complete or (lacking and not part):
        task = [*begun, *lacking][0]
        spec, seed = lacking[task][0]
        which = "no task is complete" if part else "only complete results are published under its name"
        run = f"fsbench run --suite {name}{results_given(results)}"
        other = "" if part else " --part publishes the tasks that are complete,"
        raise UsageError(
            f"{sum(map(len, lacking.values()))} trials of {name} have no result, such as {spec} on {task}, "
            f"split seed {seed}, and {which}; `{run}` with the same --plugins runs them,{other} "
            "and without --suite, whatever there is can be published"
        )
    if begun:
        say(f"left out {plural(len(begun), 'task')} on which trials have no result, such as {begun[0]}")
    return [record for record in records if record.task in complete]
