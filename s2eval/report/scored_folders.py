"""Folders and files → what models scored, item by item: runs, plain lm-eval's output, judgments, logs of Inspect."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from s2eval import lm_eval_logs, store
from s2eval.errors import DataError
from s2eval.identity import name_models
from s2eval.judge import results
from s2eval.judge.verdicts.parsers import Parser
from s2eval.lm_eval_logs import Evaluations
from s2eval.lm_eval_results import is_results
from s2eval.report import inspect_logs, rated, run_config
from s2eval.report.run_settings import RunModels
from s2eval.report.scored import TEMPLATE, Contests, Found, Scored, of_unit, renamed


def read(paths: Sequence[Path], parser: Parser = "strict") -> Found:
    """Everything in some folders or files; models are named as `s2eval.identity.name_models` decides.

    Raises:
        DataError: a broken file, or nothing to compare in one of the paths.
        UsageError: a form of log that cannot be read, with what to do.
    """
    each = [_read(path, parser) for path in {path.resolve(): path for path in paths}.values()]
    return named(
        [one for found in each for one in found.scored],
        [one for found in each for one in found.contests],
        list(dict.fromkeys(remark for found in each for remark in found.remarks)),
    )


def named(scored: Sequence[Scored], contests: Sequence[Contests], remarks: Sequence[str] = ()) -> Found:
    """The same under the names that tell their models apart."""
    sides = [identity for one in contests for identity in one.identities or ()]
    own = [one.identity for one in scored if one.identity]
    names = iter(name_models([*own, *sides]))
    return Found(
        tuple(renamed(one, next(names)) if one.identity else one for one in scored),
        tuple(replace(one, model=next(names), against=next(names)) if one.identities else one for one in contests),
        tuple(remarks),
    )


def _read(path: Path, parser: Parser) -> Found:
    if not path.exists():
        raise DataError(f"{path}: no such folder or file")
    found = _file(path, parser) if path.is_file() else _folder(path, parser)
    if not found.scored and not found.contests:
        if found.remarks:
            raise DataError("\n".join((f"{path}: nothing to compare:", *found.remarks)))
        if any(path.rglob("*.eval")):
            raise DataError(f"{path}: logs of Inspect in its binary form only; {inspect_logs.CONVERT}")
        if (path / store.SCORES).is_file():
            raise DataError(
                f"{path}: averages only ({store.SCORES}): a comparison needs what each document scored. Name the "
                "folder of the run itself"
            )
        raise DataError(
            f"{path}: nothing to compare: no {store.RUN}, no results_*.json of lm_eval --output_path … --log_samples, "
            "no judgments (…_single.jsonl, …_pair.jsonl, judgments.jsonl) and no log of Inspect (.json)"
        )
    return found


def _file(path: Path, parser: Parser) -> Found:
    if path.suffix == ".json" and is_results(path):
        found = _lm_eval(lm_eval_logs.find_evaluations(path), path)
        return replace(found, scored=tuple(_of_file(one, path) for one in found.scored))
    if path.suffix in (".eval", ".json"):
        return Found((_of_file(inspect_logs.read(path), path),))
    if path.name.endswith("_pair.jsonl") or path.name.startswith("pairwise-"):
        return Found((), tuple(rated.contests(path)))
    return Found(tuple(rated.ratings(path, parser)))


def _of_file(scored: Scored, path: Path) -> Scored:
    """Of a file that the user named: it is no repeat of another one."""
    return replace(scored, identity=scored.identity and replace(scored.identity, folder=str(path)))


def _folder(path: Path, parser: Parser) -> Found:
    is_run = (path / store.RUN).is_file()
    parts = [*_judged(path, parser), *(_file(file, parser) for file in _judgment_files(path))]
    first = _run(path) if is_run else _lm_eval(lm_eval_logs.find_evaluations(path), path)
    logs = [file for file in sorted(path.rglob("*.json")) if file.is_file() and not is_results(file)]
    parts = [first, *parts, inspect_logs.read_all([file for file in logs if inspect_logs.is_log(file)], path)]
    return Found(
        tuple(one for found in parts for one in found.scored),
        tuple(one for found in parts for one in found.contests),
        tuple(remark for found in parts for remark in found.remarks),
    )


def _judgment_files(path: Path) -> list[Path]:
    return [
        file
        for file in sorted(path.rglob("*.jsonl"))
        if file.is_file() and file.name.endswith(("_single.jsonl", "_pair.jsonl"))
    ]


# --- runs ------------------------------------------------------------------------------------------------------


def _run(folder: Path) -> Found:
    """The finished units of the configuration that lies there, as `s2eval.report.folders` reads them."""
    run = _configured(folder)
    unfinished = cast("list[str]", run.config.get("unfinished") or [])
    tasks = sorted({str(name) for name in run.config.get("tasks") or ()})
    scored: list[Scored] = []
    remarks = [f"{folder}: not finished, so not compared: {', '.join(unfinished)}"] if unfinished else []
    for name, model in run.models.items():
        paths = [path for task in tasks if (path := folder / name / task).is_dir()]
        units, broken = read_units(path for path in paths if f"{name}/{path.name}" not in unfinished)
        remarks += (f"not compared: {problem}" for problem in broken)
        scored += (
            of_unit(
                unit,
                conditions(unit.facts),
                str(folder),
                str(model.get("group") or ""),
                model.get("seed"),
                run.identity(name, unit.task, "", ""),
            )
            for unit in units
        )
    return Found(tuple(scored), (), tuple(remarks))


def _configured(folder: Path) -> RunModels:
    """The configuration of a run."""
    config = run_config.read(folder)
    return RunModels(folder, config, {str(model["name"]): model for model in config["models"]})


def read_units(folders: Iterable[Path], *, texts: bool = True) -> tuple[list[store.Unit], list[str]]:
    """The units, and what is wrong with those that are missing or broken."""
    units: list[store.Unit] = []
    broken: list[str] = []
    for folder in folders:
        try:
            units.append(store.read_unit(folder, texts=texts))
        except DataError as error:
            broken.append(str(error))
    return units, broken


def conditions(facts: Mapping[str, Any]) -> dict[str, str]:
    """Of a unit of a run. Prompts are compared document by document; the template says why they differ."""
    inputs = cast("Mapping[str, Any]", facts.get("inputs") or {})
    template = f"{facts['template']} ({facts.get('template_hash')})" if facts.get("template") else ""
    decoding = dict(cast("Mapping[str, Any]", inputs.get("decoding") or {}))
    decoding.pop("until", None)  # what ends an answer belongs to the template
    known = {
        "task version": _text(inputs.get("version")),
        "shots": _text(inputs.get("shots")),
        TEMPLATE: template,
        "decoding": json.dumps(decoding, sort_keys=True) if decoding else "",
    }
    return {name: value for name, value in known.items() if value}


def _text(value: Any) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# --- plain lm-eval ---------------------------------------------------------------------------------------------


def _lm_eval(evaluations: Evaluations, path: Path) -> Found:
    scored = (
        of_unit(
            lm_eval_logs.read_evaluation(one, one.identity.model),
            lm_eval_conditions(one.facts),
            str(path),
            identity=one.identity,
        )
        for one in sorted(evaluations.used, key=lambda one: (one.identity.model, one.task))
    )
    return Found(tuple(scored), (), tuple(note.removesuffix(".") for note in evaluations.notes))


def lm_eval_conditions(facts: Mapping[str, Any]) -> dict[str, str]:
    """Of an evaluation of plain lm-eval: its task's version and shots, and the chat template."""
    known = {
        "task version": _text(facts.get("version")),
        "shots": _text(facts.get("shots")),
        TEMPLATE: _text(facts.get("chat_template_sha")),
    }
    return {name: value for name, value in known.items() if value}


# --- judges ----------------------------------------------------------------------------------------------------


def judged_results(folder: Path) -> tuple[tuple[Scored, ...], tuple[Contests, ...]]:
    """Ratings and contests that judges left in a folder, as far as their judgments are there.

    Raises:
        UsageError: judgments that cannot be read, or a question judged with different prompts.
    """
    found = list(_judged(folder, "strict"))
    return tuple(one for each in found for one in each.scored), tuple(one for each in found for one in each.contests)


def _judged(folder: Path, parser: Parser) -> Iterator[Found]:
    """Results that `s2eval mtbench` or the judges of a run left: the judgments beside each JSON of numbers."""
    identity = (_configured(folder) if (folder / store.RUN).is_file() else RunModels(folder)).identity
    for path, facts in _facts(folder):
        if problem := results.problem(path) or ("" if facts else "not the numbers of a judge"):
            yield Found(remarks=(f"not compared: {path}: {problem}. Judge again",))
            continue
        task, label = f"s2_{facts['suite']}", facts["label"]
        conditions = {
            "questions": f"{facts['suite']} ({facts['hash']})",
            "judge's temperature": _text(facts.get("temperature")),
        }
        judgments = path.parent / results.JUDGMENTS
        if path.name == "single.json" and judgments.is_file():
            read = rated.ratings(judgments, cast("Parser", facts.get("parser", parser)), task, label)
            yield Found(
                tuple(
                    replace(
                        one,
                        conditions={**one.conditions, **conditions},
                        identity=identity(one.model, task, label, one.turn),
                    )
                    for one in read
                )
            )
        elif path.name.startswith("pairwise-") and (lines := path.with_suffix(".jsonl")).is_file():
            yield Found(
                (),
                tuple(
                    replace(
                        one,
                        identities=(
                            identity(one.model, task, label, f"against {one.against}"),
                            identity(one.against, task, label, f"for {one.model}"),
                        ),
                    )
                    for one in rated.contests(lines, task, label)
                ),
            )


def _facts(folder: Path) -> Iterable[tuple[Path, Mapping[str, Any]]]:
    for path in results.paths(folder):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))["facts"]
            known = {"suite": facts["suite"]["name"], "hash": facts["suite"]["hash"], "label": facts["label"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            yield path, {}  # `results.problem` says why
            continue
        yield path, {**facts, **{name: str(value) for name, value in known.items()}}
