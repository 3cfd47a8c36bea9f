"""The files of a benchmark with a judge: answers, judgments and numbers, the same however it was interrupted.

OUT/<model>/mtbench/<judge>/answers.jsonl       FastChat's form, and more fields
OUT/<model>/mtbench/<judge>/judgments.jsonl     likewise; a judgment without rating has score null, and why
OUT/<model>/mtbench/<judge>/pairwise-<baseline>.jsonl
OUT/<model>/mtbench/<judge>/single.json, pairwise-<baseline>.json     rows of scores.csv, and how they came about

A JSON of numbers is written last. It lists the files of its answers and judgments with lines and SHA-256, and has its
own hash; numbers that do not fit them are broken, and judging again replaces them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.errors import DataError, UsageError
from s2eval.files import integrity
from s2eval.files.names import check_folder
from s2eval.judge.ask.judging import JudgeSettings
from s2eval.judge.ask.model_handles import ModelHandle
from s2eval.judge.bench import Result
from s2eval.judge.scores import estimates as scores
from s2eval.judge.suite.definition import Suite
from s2eval.judge.suite.rows import QuestionId
from s2eval.llm import served
from s2eval.metrics.judgments import CONSISTENCY, FIRST_PLACE, FLAGGED
from s2eval.records import Estimate, Row

FOLDER, ANSWERS, JUDGMENTS = "mtbench", "answers.jsonl", "judgments.jsonl"
DEFAULT_SUITE = "mtsbench"
_FORMAT = 1
_FILES = "files"  # of a JSON of numbers: its answers and judgments; version 0.1.0 listed none
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_COMMON_FIELDS = ("turn", "choice", "repeat", "problem", "failure", "finish")
_NOT_NUMBERS = "not the numbers of a judge"


@dataclass(frozen=True, slots=True)
class Stored:
    """The rows of scores.csv of one result, and the `facts` about it."""

    rows: tuple[Row, ...]
    facts: Mapping[str, Any]


def write(out: Path, result: Result, group: str | None = None, seed: int | None = None) -> Stored:
    """Write the files of a result; each replaces an older one completely.

    Raises:
        PrerequisiteError: no space or no permission.
    """
    folder = out / result.model.name / FOLDER / folder_name(result.suite, result.settings)
    about = facts(result)
    stored = Stored(tuple(rows(result, group or result.model.name, seed)), about)
    judged = f"pairwise-{result.against.name}" if result.against else "single"
    texts = [folder / ANSWERS, folder / (f"{judged}.jsonl" if result.against else JUDGMENTS)]
    with store.explain_os_errors(folder):
        for path, records in zip(texts, (_answers(result), _judgments(result)), strict=True):
            with store.write_atomically(path) as file:
                for record in records:
                    file.write(json.dumps(record, ensure_ascii=True, separators=(", ", ": ")) + "\n")
        numbers = {"facts": about, "rows": [asdict(row) for row in stored.rows], _FILES: integrity.record(texts)}
        store.write_sealed(folder / f"{judged}.json", numbers)
    return stored


def folder_name(suite: Suite, settings: JudgeSettings) -> str:
    """Of the judge: its name and all settings that are not the default, so that other verdicts never replace these."""
    name = "" if suite.name == DEFAULT_SUITE else suite.name
    parser = "" if settings.parser == "strict" else settings.parser
    return "-".join(filter(None, [settings.judge.name, name, parser, *_marks(suite, settings)]))


def _marks(suite: Suite, settings: JudgeSettings) -> list[str]:
    """`json`, and `t1` where the temperature is not the suite's."""
    temperature = settings.temperature_for(suite)
    own = [] if temperature == suite.judge_temperature else [f"t{temperature:g}"]
    return [*(["json"] if settings.structured else []), *own]


def check_same_models(
    out: Path, suite: Suite, settings: JudgeSettings, model: ModelHandle, against: ModelHandle | None = None
) -> None:
    """Raise a UsageError where the folder has results of another model or judge of the same name, or a name that is
    the same as another folder's on some systems. Results replace older ones of the same model only.
    """
    folder = out / model.name / FOLDER / folder_name(suite, settings)
    check_folder(out / model.name)
    check_folder(folder)
    if against is not None:
        check_folder(folder / f"pairwise-{against.name}.json")
    for path in sorted(folder.glob("*.json")):
        stored = _stored(path)
        if isinstance(stored, str):  # broken, and replaced when it is judged again
            continue
        for kind, handle in (("model", model), ("judge", settings.judge)):
            text = str(stored.facts[kind]["text"])
            if text != handle.text:
                raise UsageError(
                    f"{path}: holds results of the {kind} {text}, and {handle.text} has the same name there. Choose "
                    "another folder with --out, or give the models of a run a `name:`"
                )


def read(out: Path) -> list[Stored]:
    """The results below a folder, in the order of their names.

    Raises:
        DataError: one of them is broken, or a file that this module did not write.
    """
    results, broken = read_all(out)
    if broken:
        raise DataError(broken[0])
    return results


def read_all(out: Path) -> tuple[list[Stored], list[str]]:
    """The results below a folder, in the order of their names, and the problems of those that are broken."""
    results: list[Stored] = []
    broken: list[str] = []
    for path in paths(out):
        stored = _stored(path)
        if isinstance(stored, str):
            broken.append(f"{path}: {stored}. Judge again: what was asked before is not asked again")
        else:
            results.append(stored)
    return results, broken


def _stored(path: Path) -> Stored | str:
    """The numbers in a file, or what is broken."""
    if broken := problem(path):
        return broken
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stored = Stored(tuple(Row(**row) for row in content["rows"]), content["facts"])
        for kind in ("model", "judge"):
            str(stored.facts[kind]["text"])
    except (ValueError, KeyError, TypeError):
        return _NOT_NUMBERS
    return stored


def paths(out: Path) -> list[Path]:
    """The JSON files of numbers below a folder."""
    return sorted(out.glob(f"*/{FOLDER}/*/*.json"))


def path_of(out: Path, suite: Suite, settings: JudgeSettings, model: str) -> Path:
    """The JSON of a model's ratings by a judge."""
    return out / model / FOLDER / folder_name(suite, settings) / "single.json"


def problem(path: Path) -> str:
    """What is missing or changed of a JSON of numbers, its answers and judgments; "" where nothing is."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not integrity.seal_holds(content) or (_FILES in content and integrity.SEAL not in content):
            return "was changed since it was written"
        if _FILES not in content:  # of version 0.1.0: each judgment has a line, if the judgments were stored
            judgments = path.with_name(JUDGMENTS) if path.name == "single.json" else path.with_suffix(".jsonl")
            n = content["facts"].get("n")
            lines = integrity.fingerprint(judgments).lines if n is not None and judgments.is_file() else n
            return "" if lines == n else f"{judgments.name} has {lines} lines for {n} judgments"
        listed = dict(content[_FILES])
        answers = {ANSWERS: listed.pop(ANSWERS)} if ANSWERS in listed else {}
        wrong = integrity.problem(path.parent, listed)
        return wrong or ("" if _another_lists_answers(path) else integrity.problem(path.parent, answers))
    except FileNotFoundError:
        return "is missing"
    except (OSError, *_UNREADABLE) as error:
        return f"{_NOT_NUMBERS} ({error!r})"


def _another_lists_answers(path: Path) -> bool:
    """Whether another JSON of the folder lists its answers as they are: every result of a judge writes them anew."""
    for other in path.parent.glob("*.json"):
        try:
            listed = {} if other == path else json.loads(other.read_text(encoding="utf-8"))[_FILES]
            if ANSWERS in listed and not integrity.problem(path.parent, {ANSWERS: listed[ANSWERS]}):
                return True
        except (OSError, *_UNREADABLE):
            continue
    return False


def facts(result: Result) -> dict[str, Any]:
    """All that determines a result, and notes for readers of its numbers."""
    suite, settings, judgments = result.suite, result.settings, result.judgments
    prompts = {judgment.prompt: judgment.prompt_hash for judgment in judgments}
    refused = Counter(judgment.problem.partition(":")[0] for judgment in judgments if judgment.problem)
    content: dict[str, Any] = {
        "format": _FORMAT,
        "suite": {"name": suite.name, "version": suite.version, "hash": suite.hash, "questions": len(suite.questions)},
        "model": _summary(result.model),
        "template": result.model.template,
        "choices": result.choices,
        "judge": _summary(settings.judge),
        "label": label(result),
        "prompts": {"name": suite.prompts.name, "hash": suite.prompts.hash, "used": prompts},
        "parser": settings.parser,
        "structured": settings.structured,
        "temperature": settings.temperature_for(suite),
        "repeats": settings.repeats,
        "n": len(judgments),
        "n_valid": sum(not judgment.without_verdict for judgment in judgments),
        "failed": result.failed,
        "refused": dict(sorted(refused.items())),
        "flagged": dict(sorted(Counter(sign for signs in result.suspects.values() for sign in signs).items())),
        "cut": len(result.answers.cut),
    }
    if reasoned := sum(any(answer.reasoning) for answer in result.answers.complete):
        content |= {"reasoned": reasoned, "answers": len(result.answers.complete)}
    replies = [(settings.judge, [judgment.served for judgment in judgments]), (result.model, result.answers.served)]
    reported = {handle.model: served.served(handle.model, names) for handle, names in replies if handle.remote}
    if others := {model: names for model, names in reported.items() if names}:
        content["served"] = others
    if result.against:
        compared = scores.compare(judgments)
        content["against"] = result.against.name
        content["contests"] = {"wins": compared.wins, "ties": compared.ties, "losses": compared.losses}
    elif parts := scores.components(judgments):
        content["components"] = {**asdict(parts), "share": parts.share}
    return content


def _summary(handle: ModelHandle) -> dict[str, str]:
    identity = handle.identity
    short = identity if len(identity) <= 120 else f"{identity[:100]}… ({len(identity)} characters)"
    return {"name": handle.name, "text": handle.text, "identity": short}


def label(result: Result) -> str:
    """The judge in `scores.csv`: name, prompts, parser, and a temperature of its own; no two share a table."""
    settings, prompts = result.settings, result.suite.prompts
    marks = "-".join([settings.parser, *_marks(result.suite, settings)])
    return f"{settings.judge.name}/{prompts.name}@{prompts.hash[:8]}/{marks}"


def rows(result: Result, group: str, seed: int | None) -> Iterator[Row]:
    """Every number of a result."""
    task = f"s2_{result.suite.name}"
    keys = [judgment.key for judgment in result.judgments if judgment.key]
    provenance = store.key_of({**facts(result), "keys": keys})
    judge = label(result)

    def row(turn: str, category: str, metric: str, estimate: Estimate, judge: str = judge) -> Row:
        numbers = {name: getattr(estimate, name) for name in ("value", "stderr", "ci_low", "ci_high", "n", "n_valid")}
        return Row(
            model=result.model.name,
            group=group,
            seed=seed,
            task=task,
            subset=category,
            judge=judge,
            turn=turn,
            metric=metric,
            provenance=provenance,
            **numbers,
        )

    if result.against:
        compared = scores.compare(result.judgments)
        against = result.against.name
        for (turn, category, metric), estimate in compared.win_rate.items():
            yield row(turn, category, f"{metric}@{against}", estimate)
        yield row("", "", f"{CONSISTENCY}@{against}", compared.consistency)
        yield row("", "", f"{FIRST_PLACE}@{against}", compared.first_place)
        return
    for (turn, category, metric), estimate in scores.scores(result.judgments).items():
        yield row(turn, category, metric, estimate)
    for metric, estimate in scores.readability(result.answers.complete).items():
        yield row("1", "", metric, estimate, judge="")
    if n := len(result.answers.complete):
        share = len(result.suspects) / n
        yield row("", "", FLAGGED, Estimate(share, None, None, None, n, n, "none"), judge="")


def _answers(result: Result) -> Iterator[dict[str, object]]:
    by_question: dict[QuestionId, list[dict[str, object]]] = {}
    for answer in result.answers.complete:
        choice: dict[str, object] = {"index": answer.choice, "turns": list(answer.turns)}
        if any(answer.reasoning):
            choice["reasoning"] = list(answer.reasoning)
        signs = result.suspects.get((answer.question_id, answer.choice))
        by_question.setdefault(answer.question_id, []).append(choice | ({"flags": signs} if signs else {}))
    for question in result.suite.questions:
        if question.id in by_question:
            yield {
                "question_id": question.id,
                "answer_id": f"{result.model.name}-{question.id}",
                "model_id": result.model.name,
                "category": question.category,
                "temperature": result.suite.temperature(question),
                "template": result.model.template,
                "choices": by_question[question.id],
            }


def _judgments(result: Result) -> Iterator[dict[str, object]]:
    for judgment in result.judgments:
        fields = {name: getattr(judgment, name) for name in _COMMON_FIELDS}
        pairwise = bool(judgment.place)
        yield {
            "question_id": judgment.question_id,
            "category": judgment.category,
            "model": judgment.model,
            **({"against": judgment.against, "place": judgment.place} if pairwise else {}),
            "judge": [judgment.judge, judgment.prompt],
            "user_prompt": judgment.user_prompt,
            "judgment": None if judgment.failure else judgment.text,
            **({"winner": judgment.winner, "points": judgment.points} if pairwise else {"score": judgment.score}),
            **fields,
            **({"reasoning": judgment.reasoning} if judgment.reasoning else {}),
            "flags": result.suspects.get((judgment.question_id, judgment.choice), []),
            "parser": result.settings.parser,
            "structured": judgment.structured,
            "prompt_hash": judgment.prompt_hash,
            "key": judgment.key,
        }
