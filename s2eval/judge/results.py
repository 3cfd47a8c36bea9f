"""What a benchmark with a judge leaves on disk: answers, judgments and numbers, the same however it was interrupted.

OUT/<model>/mtbench/<judge>/answers.jsonl       FastChat's form, and more fields
OUT/<model>/mtbench/<judge>/judgments.jsonl     likewise; a judgment without rating has score null, and why
OUT/<model>/mtbench/<judge>/pairwise-<baseline>.jsonl
OUT/<model>/mtbench/<judge>/single.json, pairwise-<baseline>.json     rows of scores.csv, and how they came about

A JSON of numbers is written last. It lists the files that its numbers were made of with lines and SHA-256, and carries
its own hash; numbers that differ from them are broken, and judging again replaces them.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
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
from s2eval.llm import served
from s2eval.metrics.judgments import CONSISTENCY, FIRST_PLACE, FLAGGED
from s2eval.records import Estimate, Row

FOLDER, ANSWERS, JUDGMENTS = "mtbench", "answers.jsonl", "judgments.jsonl"
DEFAULT_SUITE = "mtsbench"
_FORMAT = 1
_FILES = "files"  # of a JSON of numbers: what they were made of; version 0.1.0 listed nothing


@dataclass(frozen=True, slots=True)
class Stored:
    """The numbers of one result, as read back.

    Attributes:
        rows: of scores.csv.
        facts: how they came about; see `facts`.
    """

    rows: tuple[Row, ...]
    facts: Mapping[str, Any]


def write(out: Path, result: Result, group: str | None = None, seed: int | None = None) -> Stored:
    """Write the files of a result; each replaces an older one whole.

    Raises:
        PrerequisiteError: no space or no permission.
    """
    folder = out / result.model.name / FOLDER / folder_name(result.suite, result.settings)
    about = facts(result)
    stored = Stored(tuple(rows(result, group or result.model.name, seed)), about)
    judged = f"pairwise-{result.against.name}" if result.against else "single"
    texts = [folder / ANSWERS, folder / (f"{judged}.jsonl" if result.against else JUDGMENTS)]
    with store.explain_os_errors(folder):
        _lines(texts[0], _answers(result))
        _lines(texts[1], _judgments(result))
        numbers = {"facts": about, "rows": [asdict(row) for row in stored.rows], _FILES: integrity.record(texts)}
        store.write_sealed(folder / f"{judged}.json", numbers)
    return stored


def folder_name(suite: Suite, settings: JudgeSettings) -> str:
    """Of the judge: its name, and what is not the default, so that other verdicts never replace these."""
    marks = (
        suite.name if suite.name != DEFAULT_SUITE else "",
        settings.parser if settings.parser != "strict" else "",
        "json" if settings.structured else "",
        _temperature(suite, settings),
    )
    return "-".join([settings.judge.name, *filter(None, marks)])


def _temperature(suite: Suite, settings: JudgeSettings) -> str:
    """`t1`, where it is not the suite's."""
    temperature = settings.temperature_for(suite)
    return "" if temperature == suite.judge_temperature else f"t{temperature:g}"


def check_same_models(
    out: Path, suite: Suite, settings: JudgeSettings, model: ModelHandle, against: ModelHandle | None = None
) -> None:
    """Raise a UsageError if the folder holds results of another model or judge that has the same name there, or if on
    some systems it is one with another folder.

    To be asked before anything is: results replace older ones of the same model only.
    """
    folder = out / model.name / FOLDER / folder_name(suite, settings)
    check_folder(out / model.name)
    check_folder(folder)
    if against is not None:
        check_folder(folder / f"pairwise-{against.name}.json")
    for path in sorted(folder.glob("*.json")):
        content = {} if problem(path) else _content(path)
        if not content:  # broken, and replaced when it is judged again
            continue
        found = content["facts"]
        for kind, one in (("model", model), ("judge", settings.judge)):
            text = str(found[kind]["text"])
            if text != one.text:
                raise UsageError(
                    f"{path}: holds results of the {kind} {text}, and {one.text} has the same name there. Choose "
                    "another folder with --out, or give the models of a run a `name:`"
                )


def read(out: Path) -> list[Stored]:
    """The results below a folder, in the order of their names.

    Raises:
        DataError: one of them is broken, or a file that this module did not write.
    """
    found, broken = read_all(out)
    if broken:
        raise DataError(broken[0])
    return found


def read_all(out: Path) -> tuple[list[Stored], list[str]]:
    """The results below a folder, in the order of their names, and what is wrong with those that are broken."""
    found: list[Stored] = []
    broken: list[str] = []
    for path in paths(out):
        content = {} if (wrong := problem(path)) else _content(path)
        if not content:
            wrong = wrong or "not the numbers of a judge"
            broken.append(f"{path}: {wrong}. Judge again: what was asked before is not asked again")
            continue
        found.append(Stored(tuple(Row(**row) for row in content["rows"]), content["facts"]))
    return found, broken


def paths(out: Path) -> list[Path]:
    """The JSON files of numbers below a folder."""
    return sorted(out.glob(f"*/{FOLDER}/*/*.json"))


def path_of(out: Path, suite: Suite, settings: JudgeSettings, model: str) -> Path:
    """Where the ratings of a model by a judge are."""
    return out / model / FOLDER / folder_name(suite, settings) / "single.json"


def problem(path: Path) -> str:
    """What is missing or changed of a JSON of numbers and of the files that they were made of; "" where nothing is."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        if not integrity.seal_holds(content) or (_FILES in content and integrity.SEAL not in content):
            return "was changed since it was written"
        if _FILES not in content:
            return _problem_without_hashes(path, content["facts"])
        listed = dict(content[_FILES])
        answers = {ANSWERS: listed.pop(ANSWERS)} if ANSWERS in listed else {}
        wrong = integrity.problem(path.parent, listed)
        return wrong or ("" if _any_lists(path.parent, path) else integrity.problem(path.parent, answers))
    except FileNotFoundError:
        return "is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"not the numbers of a judge ({error!r})"


def _any_lists(folder: Path, path: Path) -> bool:
    """Whether another JSON of the folder lists its answers as they are: every result of a judge writes them anew."""
    for other in folder.glob("*.json"):
        try:
            listed = {} if other == path else json.loads(other.read_text(encoding="utf-8"))[_FILES]
            if ANSWERS in listed and not integrity.problem(folder, {ANSWERS: listed[ANSWERS]}):
                return True
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return False


def _problem_without_hashes(path: Path, facts: Mapping[str, Any]) -> str:
    """Of version 0.1.0: each judgment has a line, where the judgments were kept."""
    judgments = path.with_name(JUDGMENTS) if path.name == "single.json" else path.with_suffix(".jsonl")
    if "n" not in facts or not judgments.is_file():
        return ""
    lines = integrity.fingerprint(judgments).lines
    return "" if lines == facts["n"] else f"{judgments.name} has {lines} lines for {facts['n']} judgments"


def _content(path: Path) -> dict[str, Any]:
    """A file of numbers, of the form that `write` gives it; empty where it has another form."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for row in content["rows"]:
            Row(**row)
        for who in ("model", "judge"):
            str(content["facts"][who]["text"])
    except (ValueError, KeyError, TypeError):
        return {}
    return content


def facts(result: Result) -> dict[str, Any]:
    """What determined a result, and what a reader of its numbers must know."""
    suite, settings, judgments = result.suite, result.settings, result.judgments
    prompts = {one.prompt: one.prompt_hash for one in judgments}
    refused = Counter(one.problem.partition(":")[0] for one in judgments if one.problem)
    found: dict[str, Any] = {
        "format": _FORMAT,
        "suite": {"name": suite.name, "version": suite.version, "hash": suite.hash, "questions": len(suite.questions)},
        "model": _named(result.model),
        "template": result.model.template,
        "choices": result.choices,
        "judge": _named(settings.judge),
        "label": label(result),
        "prompts": {"name": suite.prompts.name, "hash": suite.prompts.hash, "used": prompts},
        "parser": settings.parser,
        "structured": settings.structured,
        "temperature": settings.temperature_for(suite),
        "repeats": settings.repeats,
        "n": len(judgments),
        "n_valid": sum(not one.without_verdict for one in judgments),
        "failed": result.failed,
        "refused": dict(sorted(refused.items())),
        "flagged": dict(sorted(Counter(sign for signs in result.suspects.values() for sign in signs).items())),
        "cut": len(result.answers.cut),
    }
    if reasoned := sum(any(answer.reasoning) for answer in result.answers.complete):
        found |= {"reasoned": reasoned, "answers": len(result.answers.complete)}
    if other := _served(result):
        found["served"] = other
    if result.against:
        compared = scores.compare(judgments)
        found["against"] = result.against.name
        found["contests"] = {"wins": compared.wins, "ties": compared.ties, "losses": compared.losses}
    elif parts := scores.components(judgments):
        found["components"] = {**asdict(parts), "share": parts.share}
    return found


def _named(handle: ModelHandle) -> dict[str, str]:
    return {"name": handle.name, "text": handle.text, "identity": _short(handle.identity)}


def _served(result: Result) -> dict[str, dict[str, int]]:
    """Asked model → other names that its server reported → replies, where there are any."""
    judge, model = result.settings.judge, result.model
    named = [(judge, [one.served for one in result.judgments]), (model, result.answers.served)]
    found = {who.model: served.served(who.model, names) for who, names in named if who.remote}
    return {asked: names for asked, names in found.items() if names}


def label(result: Result) -> str:
    """The judge as `scores.csv` has it: name, prompts, parser, and a temperature of its own; no two share a table."""
    settings, prompts = result.settings, result.suite.prompts
    marks = (settings.parser, "json" if settings.structured else "", _temperature(result.suite, settings))
    return f"{settings.judge.name}/{prompts.name}@{prompts.hash[:8]}/{'-'.join(filter(None, marks))}"


def rows(result: Result, group: str, seed: int | None) -> Iterator[Row]:
    """Every number of a result."""
    task = f"s2_{result.suite.name}"
    provenance = store.key_of({**facts(result), "keys": [one.key for one in result.judgments if one.key]})
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
    n = len(result.answers.complete)
    if n:
        share = len(result.suspects) / n
        yield row("", "", FLAGGED, Estimate(share, None, None, None, n, n, "none"), judge="")


def _answers(result: Result) -> Iterator[dict[str, Any]]:
    by_question: dict[Any, list[dict[str, Any]]] = {}
    for answer in result.answers.complete:
        choice: dict[str, Any] = {"index": answer.choice, "turns": list(answer.turns)}
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


def _judgments(result: Result) -> Iterator[dict[str, Any]]:
    for one in result.judgments:
        yield {
            "question_id": one.question_id,
            "category": one.category,
            "model": one.model,
            **({"against": one.against, "place": one.place} if one.place else {}),
            "judge": [one.judge, one.prompt],
            "user_prompt": one.user_prompt,
            "judgment": None if one.failure else one.text,
            **({"winner": one.winner, "points": one.points} if one.place else {"score": one.score}),
            "turn": one.turn,
            "choice": one.choice,
            "repeat": one.repeat,
            "problem": one.problem,
            "failure": one.failure,
            "finish": one.finish,
            **({"reasoning": one.reasoning} if one.reasoning else {}),
            "flags": result.suspects.get((one.question_id, one.choice), []),
            "parser": result.settings.parser,
            "structured": one.structured,
            "prompt_hash": one.prompt_hash,
            "key": one.key,
        }


def _lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    with store.write_atomically(path) as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=True, separators=(", ", ": ")) + "\n")


def _short(identity: str) -> str:
    return identity if len(identity) <= 120 else f"{identity[:100]}… ({len(identity)} characters)"
