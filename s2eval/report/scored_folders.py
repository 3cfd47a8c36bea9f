"""Folders and files → what models scored, item by item: runs, plain lm-eval's output, judgments, logs of Inspect."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from s2eval import store
from s2eval.errors import DataError
from s2eval.judge import results
from s2eval.judge.verdicts import Parser
from s2eval.report import inspect_logs, rated
from s2eval.report.scored import TEMPLATE, Contests, Scored, of_unit


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in some folders.

    Attributes:
        scored: every model on every task.
        contests: of two models, as a judge decided them.
        remarks: what did not end, as sentences.
    """

    scored: tuple[Scored, ...] = ()
    contests: tuple[Contests, ...] = ()
    remarks: tuple[str, ...] = ()


def read(paths: Sequence[Path], parser: Parser = "strict") -> Found:
    """Everything in some folders or files.

    A model that two of them have on the same task is named with its folder before it: `runs/old/smollm2`.

    Raises:
        DataError: a broken file, or nothing to compare in one of the paths.
        UsageError: a form of log that cannot be read, with what to do.
    """
    each = [_read(path, parser) for path in paths]
    places: dict[tuple[str, str, str, str], set[int]] = {}
    for number, found in enumerate(each):
        for one in found.scored:
            places.setdefault((one.model, one.task, one.judge, one.turn), set()).add(number)
    twice = {key[0] for key, numbers in places.items() if len(numbers) > 1}
    scored = [
        replace(one, model=f"{path}/{one.model}") if one.model in twice else one
        for path, found in zip(paths, each, strict=True)
        for one in found.scored
    ]
    return Found(
        tuple(scored),
        tuple(one for found in each for one in found.contests),
        tuple(dict.fromkeys(remark for found in each for remark in found.remarks)),
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
    if path.suffix in (".eval", ".json"):
        return Found((inspect_logs.read(path),))
    if path.name.endswith("_pair.jsonl") or path.name.startswith("pairwise-"):
        return Found((), tuple(rated.contests(path)))
    return Found(tuple(rated.ratings(path, parser)))


def _folder(path: Path, parser: Parser) -> Found:
    judged = list(_judged(path, parser))
    units, remarks = _run(path) if (path / store.RUN).is_file() else (list(_lm_eval(path)), ())
    other: list[Found] = []
    for file in sorted(path.rglob("*.jsonl")):
        if file.name.endswith(("_single.jsonl", "_pair.jsonl")):
            other.append(_file(file, parser))
    logs = [
        file
        for file in sorted(path.rglob("*.json"))
        if not file.name.startswith("results_") and inspect_logs.is_log(file)
    ]
    return Found(
        (*units, *(one for found in (*judged, *other) for one in found.scored), *map(inspect_logs.read, logs)),
        tuple(one for found in (*judged, *other) for one in found.contests),
        (*remarks, *(remark for one in judged for remark in one.remarks)),
    )


# --- runs ------------------------------------------------------------------------------------------------------


def _run(folder: Path) -> tuple[list[Scored], tuple[str, ...]]:
    """The finished units of the configuration that lies there, as `s2eval.report.folders` reads them."""
    try:
        config = cast("dict[str, Any]", yaml.safe_load((folder / store.RUN).read_text(encoding="utf-8")))
        models = {str(model["name"]): model for model in cast("list[dict[str, Any]]", config["models"])}
    except (yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / store.RUN}: not the configuration of a run ({error!r})") from error
    unfinished = cast("list[str]", config.get("unfinished") or [])
    tasks = sorted({str(name) for name in config.get("tasks") or ()})
    scored: list[Scored] = []
    remarks = [f"{folder}: not finished, so not compared: {', '.join(unfinished)}"] if unfinished else []
    for name, model in models.items():
        paths = [path for task in tasks if (path := folder / name / task).is_dir()]
        units, broken = read_units(path for path in paths if f"{name}/{path.name}" not in unfinished)
        remarks += (f"not compared: {problem}" for problem in broken)
        scored += (
            of_unit(unit, conditions(unit.facts), str(folder), str(model.get("group") or ""), model.get("seed"))
            for unit in units
        )
    return scored, tuple(remarks)


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


def _lm_eval(folder: Path) -> Iterator[Scored]:
    told = lm_eval_conditions(folder)
    for unit in sorted(store.find_lm_eval(folder), key=lambda unit: (unit.model, unit.task)):
        yield of_unit(unit, told.get((unit.model, unit.task), {}), str(folder))


def lm_eval_conditions(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """(model, task) → version and shots, of the newest results as `store.find_lm_eval` takes them."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for path in sorted(folder.rglob("results_*.json"), key=lambda path: (path.name, path)):
        if (path.parent / store.UNIT).exists():
            continue
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:  # told by find_lm_eval
            continue
        model = str(content.get("model_name_sanitized") or path.parent.name)
        for task in content.get("configs", {}):
            known = {
                "task version": _text(content.get("versions", {}).get(task)),
                "shots": _text(content.get("n-shot", {}).get(task)),
                TEMPLATE: _text(content.get("chat_template_sha")),
            }
            found[model, str(task)] = {name: value for name, value in known.items() if value}
    return found


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
            yield Found(tuple(replace(one, conditions={**one.conditions, **conditions}) for one in read))
        elif path.name.startswith("pairwise-") and (lines := path.with_suffix(".jsonl")).is_file():
            yield Found((), tuple(rated.contests(lines, task, label)))


def _facts(folder: Path) -> Iterable[tuple[Path, Mapping[str, Any]]]:
    for path in results.paths(folder):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))["facts"]
            known = {"suite": facts["suite"]["name"], "hash": facts["suite"]["hash"], "label": facts["label"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            yield path, {}  # `results.problem` says why
            continue
        yield path, {**facts, **{name: str(value) for name, value in known.items()}}
