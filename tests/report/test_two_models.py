"""Evaluations of one model that differ in what determines a result are two models in every reader of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2eval import store
from s2eval.cli import main
from s2eval.report import sources
from s2eval.report.build import Report
from s2eval.report.html.samples import sample_sets
from s2eval.report.read import item_scores
from tests.report import lm_eval_logs, test_inspect_log, test_rated

TASK = "s2_arc_challenge"
LOW, HIGH = [1.0] * 7 + [0.0] * 13, [1.0] * 15 + [0.0] * 5  # 35 and 75 of 100
FIRST, SECOND = "2025-01-01T00-00-00.000000", "2025-01-02T00-00-00.000000"
PYTHIA = "EleutherAI__pythia-70m"


def evaluate(folder: Path, date: str, values: list[float], *, arguments: str = "", **content: Any) -> Path:
    """One more evaluation of Pythia in lm-eval's folder for it."""
    config = {"model": "hf", "model_args": f"pretrained=EleutherAI/pythia-70m{arguments}", **content.pop("config", {})}
    log = {TASK: lm_eval_logs.points("acc_norm", values)}
    more = {"model_name": "EleutherAI/pythia-70m", "model_name_sanitized": PYTHIA, "config": config, **content}
    lm_eval_logs.write(folder / "made", PYTHIA, log, **more)
    own = folder / PYTHIA
    own.mkdir(exist_ok=True)
    for path in (folder / "made" / PYTHIA).iterdir():
        path.rename(own / path.name.replace(lm_eval_logs.DATE, date))
    (folder / "made" / PYTHIA).rmdir()
    (folder / "made").rmdir()
    return folder


def report(folder: Path) -> dict[str, str]:
    """Model → its ARC, as the report prints it."""
    (table,) = Report([sources.read(folder)]).document.tables[:1]
    return {row.header[0]: row.cells[1].text for row in table.rows}


def compared(folder: Path) -> dict[str, float]:
    """Model → the share of right answers, as `s2eval compare` reads them."""
    found = item_scores.read([folder]).scored
    assert len({one.model for one in found}) == len(found)
    return {one.model: 100 * sum(item.values["acc_norm"] or 0 for item in one.items) / len(one.items) for one in found}


DIFFERENCES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, str]]] = {
    "revision": (
        {"arguments": ",revision=step1000", "config": {"model_revision": "step1000", "model_sha": "a" * 40}},
        {"arguments": ",revision=step143000", "config": {"model_revision": "step143000", "model_sha": "b" * 40}},
        (" (step1000)", " (step143000)"),
    ),
    "commit": (
        {"config": {"model_revision": "main", "model_sha": "a" * 40}},
        {"config": {"model_revision": "main", "model_sha": "b" * 40}},
        (" (commit aaaaaaaa)", " (commit bbbbbbbb)"),
    ),
    "shots": ({}, {"n-shot": {TASK: 25}}, (" (0 shots)", " (25 shots)")),
    "version": ({}, {"versions": {TASK: 2.0}}, (" (version 1)", " (version 2)")),
    "dtype": (
        {"config": {"model_dtype": "torch.float16"}},
        {"config": {"model_dtype": "torch.bfloat16"}},
        (" (float16)", " (bfloat16)"),
    ),
    "dtype of the arguments": (
        {"arguments": ",dtype=float16"},
        {"arguments": ",dtype=bfloat16"},
        (" (float16)", " (bfloat16)"),
    ),
    "dtype beside another that was recorded": (
        {"arguments": ",dtype=float16", "config": {"model_dtype": "torch.float32"}},
        {"arguments": ",dtype=bfloat16", "config": {"model_dtype": "torch.float32"}},
        (" (dtype=float16)", " (dtype=bfloat16)"),
    ),
    "recorded revision": (
        {"config": {"model_revision": "main"}},
        {"config": {"model_revision": "step1000"}},
        ("", " (step1000)"),
    ),
    "quantisation": ({}, {"arguments": ",load_in_4bit=True"}, ("", " (load_in_4bit=True)")),
    "template": ({}, {"chat_template_sha": "ab12cd34" * 8}, ("", " (chat template ab12cd34)")),
    "its arguments": (
        {"arguments": ",enable_thinking=True"},
        {"arguments": ",enable_thinking=False"},
        (" (enable_thinking=True)", " (enable_thinking=False)"),
    ),
    "system prompt": ({}, {"system_instruction_sha": "ab12cd34" * 8}, ("", " (system prompt ab12cd34)")),
    "a later limit": ({}, {"config": {"limit": 10.0}}, ("", " (limit 10)")),
    "generation": ({}, {"config": {"gen_kwargs": {"temperature": 0.7}}}, ("", " (temperature=0.7)")),
    "backend": ({}, {"config": {"model": "vllm"}}, (" (hf)", " (vllm)")),
    "seed": ({}, {"config": {"fewshot_seed": 5}}, ("", " (fewshot_seed=5)")),
    "base of an adapter": (
        {"arguments": "-a,peft=EleutherAI/pythia-70m"},
        {"arguments": "-b,peft=EleutherAI/pythia-70m"},
        (" (on EleutherAI/pythia-70m-a)", " (on EleutherAI/pythia-70m-b)"),
    ),
    "the task's own settings": (
        {"configs": {TASK: {"doc_to_text": "{{q}}"}}},  # named by the beginning of its SHA-256
        {"configs": {TASK: {"doc_to_text": "Question: {{q}}"}}},
        (" (doc_to_text 75640dc3)", " (doc_to_text 322f3de7)"),
    ),
}


@pytest.mark.parametrize("what", DIFFERENCES)
def test_settings_tell_two_models_apart(tmp_path: Path, what: str) -> None:
    first, second, endings = DIFFERENCES[what]
    evaluate(tmp_path, FIRST, LOW, **first)
    evaluate(tmp_path, SECOND, HIGH, **second)
    low, high = (PYTHIA + ending for ending in endings)
    assert report(tmp_path) == {low: "35.00", high: "75.00"}
    assert compared(tmp_path) == {low: 35.0, high: 75.0}


@pytest.mark.parametrize(
    "arguments",
    [",device=cuda:1", ",trust_remote_code=True", ",parallelize=True", ",revision=main,dtype=auto", ",batch_size=4"],
)
def test_how_a_model_ran_makes_no_other_model(tmp_path: Path, arguments: str) -> None:
    evaluate(tmp_path, FIRST, LOW)
    evaluate(tmp_path, SECOND, HIGH, arguments=arguments)
    assert report(tmp_path) == {PYTHIA: "75.00"}


def test_no_secret_gets_into_a_name(tmp_path: Path) -> None:
    evaluate(tmp_path, FIRST, LOW, arguments=",token=hf_abc,base_url=http://me:hidden@one:8000/v1?key=x")
    evaluate(tmp_path, SECOND, HIGH, arguments=",token=hf_def,base_url=http://me:hidden@two:8000/v1?key=x")
    assert list(report(tmp_path)) == [f"{PYTHIA} (base_url=one:8000)", f"{PYTHIA} (base_url=two:8000)"]


def test_a_repeat_is_used_once_and_the_file_is_named(tmp_path: Path) -> None:
    evaluate(tmp_path, SECOND, HIGH)
    evaluate(tmp_path, FIRST, LOW)
    assert report(tmp_path) == {PYTHIA: "75.00"}
    note = (
        f"{PYTHIA} was evaluated again with the same settings on {TASK}: {PYTHIA}/results_{SECOND}.json is used, "
        f"{PYTHIA}/results_{FIRST}.json is not"
    )
    assert f"{note}." in sources.read(tmp_path).notes
    assert item_scores.read([tmp_path]).remarks == (note,)


def test_a_repeat_without_samples_does_not_replace_them(tmp_path: Path) -> None:
    evaluate(tmp_path, FIRST, LOW)
    evaluate(tmp_path, SECOND, HIGH)
    next((tmp_path / PYTHIA).glob(f"samples_*{SECOND}*")).unlink()
    assert report(tmp_path) == {PYTHIA: "35.00"}


def test_two_runs_in_two_folders_stay_two(tmp_path: Path) -> None:
    for name, values in (("a", LOW), ("b", HIGH)):
        evaluate(tmp_path / name, FIRST, values)
    wanted = {f"{tmp_path}/a/{PYTHIA}": "35.00", f"{tmp_path}/b/{PYTHIA}": "75.00"}
    assert report(tmp_path) == wanted
    each = sources.read_all([tmp_path / "a", tmp_path / "b"])
    (table,) = Report(each).document.tables[:1]
    assert {row.header[0]: row.cells[1].text for row in table.rows} == wanted
    assert {one.model for one in item_scores.read([tmp_path / "a", tmp_path / "b"]).scored} == set(wanted)


def test_across_folders_settings_name_models_too(tmp_path: Path) -> None:
    evaluate(tmp_path / "a", FIRST, LOW, arguments=",revision=step1000")
    evaluate(tmp_path / "b", FIRST, HIGH, arguments=",revision=step143000")
    both = [tmp_path / "a", tmp_path / "b"]
    names = [f"{PYTHIA} (step1000)", f"{PYTHIA} (step143000)"]
    assert [source.models for source in sources.read_all(both)] == [(name,) for name in names]
    assert [one.model for one in item_scores.read(both).scored] == names


def test_a_folder_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    evaluate(tmp_path, FIRST, LOW)
    assert len(sources.read_all([tmp_path, tmp_path])) == 1
    assert len(item_scores.read([tmp_path, tmp_path]).scored) == 1


def test_the_page_shows_the_samples_of_both(tmp_path: Path) -> None:
    evaluate(tmp_path, FIRST, LOW, arguments=",revision=step1000")
    evaluate(tmp_path, SECOND, HIGH, arguments=",revision=step143000")
    (samples,) = sample_sets(sources.read(tmp_path).scored)
    assert list(samples.models) == [f"{PYTHIA} (step1000)", f"{PYTHIA} (step143000)"]
    assert [answers.scored.log for answers in samples.models.values()] == [
        tmp_path / PYTHIA / f"samples_{TASK}_{date}.jsonl" for date in (FIRST, SECOND)
    ]
    assert all(len(answers.texts) == 20 for answers in samples.models.values())
    assert samples.scores[:, 0].sum(axis=1).tolist() == [7, 15]


def test_compare_takes_shown_names_and_lists_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate(tmp_path, FIRST, LOW, arguments=",revision=step1000")
    evaluate(tmp_path, SECOND, HIGH, arguments=",revision=step143000")
    step = [f"{PYTHIA} (step1000)", f"{PYTHIA} (step143000)"]
    assert command("compare", tmp_path, "--baseline", step[0], "--model", step[1]) == 3  # acc is known as an average
    assert "+40.00" in capsys.readouterr().out
    for verb in (["compare"], ["report"]):
        assert command(*verb, tmp_path, "--baseline", PYTHIA) == 2
        told = capsys.readouterr().err
        assert all(name in told for name in step)


def command(*arguments: str | Path) -> int:
    try:
        main(list(map(str, arguments)))
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else -1
    return 0


# --- our own runs ----------------------------------------------------------------------------------------------


def run(folder: Path, values: list[float], **model: Any) -> Path:
    log = {TASK: lm_eval_logs.points("acc_norm", values)}
    lm_eval_logs.write(folder / "m" / TASK, ".", log)
    (folder / "m" / TASK / store.UNIT).write_text(json.dumps({"key": str(values), "model": "m"}))
    config = {
        "name": "run",
        "tasks": [TASK],
        "models": [{"name": "m", "model": "org/m", "reference": "Llama-2-7b", "trained_on": "eli5", **model}],
    }
    (folder / store.RUN).write_text(yaml.safe_dump(config))
    return folder


@pytest.mark.parametrize(
    ("first", "second", "names"),
    [
        ({"args": {"revision": "v1"}}, {"args": {"revision": "v2"}}, ["m (v1)", "m (v2)"]),
        ({"dtype": "float16"}, {"dtype": "bfloat16"}, ["m (float16)", "m (bfloat16)"]),
        ({"model": "org/x"}, {"model": "org/y"}, ["m (org/x)", "m (org/y)"]),
        ({}, {"args": {"load_in_4bit": True}}, ["m", "m (load_in_4bit=true)"]),
        ({}, {"template": "vicuna"}, ["m", "m (template vicuna)"]),
        ({}, {}, ["{0}/m", "{1}/m"]),
    ],
    ids=["revision", "dtype", "model", "quantisation", "template", "alike"],
)
def test_our_own_runs(tmp_path: Path, first: dict[str, Any], second: dict[str, Any], names: list[str]) -> None:
    both = [run(tmp_path / "a", LOW, **first), run(tmp_path / "b", HIGH, **second)]
    wanted = [name.format(*both) for name in names]
    each = sources.read_all(both)
    assert [source.models for source in each] == [(name,) for name in wanted]
    assert [list(source.references) for source in each] == [[name] for name in wanted]
    assert [{row.group for row in source.rows} for source in each] == [{name} for name in wanted]
    (table,) = Report(each).document.tables[:1]
    assert {row.header[0]: row.cells[1].text for row in table.rows} == dict(
        zip(wanted, ["35.00", "75.00"], strict=True)
    )
    assert [one.model for one in item_scores.read(both).scored] == wanted


def test_a_model_and_its_judgments_in_two_folders_are_one(tmp_path: Path) -> None:
    """`s2eval run`, then `s2eval mtbench --out` of the same model."""
    place = tmp_path / "judged" / "m" / "mtbench" / "gpt-4"
    place.mkdir(parents=True)
    about = {"suite": {"name": "mtsbench", "hash": "ff"}, "label": "gpt-4/p@1/strict", "temperature": 0.0}
    for name in ("single", "pairwise-base"):
        (place / f"{name}.json").write_text(json.dumps({"facts": about, "rows": []}))
    test_rated.write(place / "judgments.jsonl", [test_rated.judged(1, 1, "[[7]]", model="m")])
    pair = {"question_id": 1, "model": "m", "against": "base", "judge": ["gpt-4", "p"], "turn": 1, "points": 1.0}
    test_rated.write(place / "pairwise-base.jsonl", [{**pair, "place": place_} for place_ in "AB"])
    found = item_scores.read([run(tmp_path / "run", LOW), tmp_path / "judged"])
    assert {one.model for one in found.scored} == {"m"}
    assert [(one.model, one.against) for one in found.contests] == [("m", "base")]


def test_numbers_alone_in_two_folders(tmp_path: Path) -> None:
    for name, values in (("a", LOW), ("b", HIGH)):
        stored = sources.read(run(tmp_path / "runs" / name, values))
        store.write_scores(tmp_path / name / store.SCORES, stored.rows)
    each = sources.read_all([tmp_path / "a", tmp_path / "b"])
    assert [source.models for source in each] == [(f"{tmp_path}/a/m",), (f"{tmp_path}/b/m",)]


# --- judgments and Inspect's logs ------------------------------------------------------------------------------


def test_fastchats_judgments_in_two_folders(tmp_path: Path) -> None:
    for name, rating in (("a", "[[2]]"), ("b", "[[9]]")):
        (tmp_path / name).mkdir()
        test_rated.write(tmp_path / name / "gpt-4_single.jsonl", [test_rated.judged(81, 1, rating)])
        test_rated.write(tmp_path / name / "gpt-4_pair.jsonl", [test_rated.compared(81, 1, "model_1", "model_1")])
    found = item_scores.read([tmp_path])
    ratings = {one.model: one.items[0].values["s2_judge_score"] for one in found.scored if one.turn == "1"}
    assert ratings == {f"{tmp_path}/a/vicuna": 2.0, f"{tmp_path}/b/vicuna": 9.0}
    assert {one.model.rpartition("/")[0] for one in found.contests} == {f"{tmp_path}/a", f"{tmp_path}/b"}


def test_fastchats_judgments_in_two_files(tmp_path: Path) -> None:
    for name, rating in (("gpt-4_single", "[[2]]"), ("old_gpt-4_single", "[[9]]")):
        test_rated.write(tmp_path / f"{name}.jsonl", [test_rated.judged(81, 1, rating)])
    found = item_scores.read([tmp_path]).scored
    ratings = {one.model: one.items[0].values["s2_judge_score"] for one in found if one.turn == "1"}
    assert ratings == {"vicuna (gpt-4_single.jsonl)": 2.0, "vicuna (old_gpt-4_single.jsonl)": 9.0}


def inspect_log(path: Path, letter: str, created: str, plan: dict[str, Any] | None = None, **task: Any) -> None:
    content = test_inspect_log.log([test_inspect_log.sample(1, letter)], **({"plan": plan} if plan else {}))
    content["eval"] |= {"created": created, **task}
    test_inspect_log.write(path, content)


@pytest.mark.parametrize(
    ("task", "ending"),
    [
        ({"model_args": {"revision": "v2"}}, " (revision=v2)"),
        ({"model_generate_config": {"temperature": 0.5}}, " (temperature=0.5)"),
        ({"config": {"limit": 5}}, " (limit 5)"),
        ({"task_args": {"fewshot": 5}}, " (fewshot=5)"),
    ],
    ids=["model", "generation", "limit", "task"],
)
def test_inspects_logs(tmp_path: Path, task: dict[str, Any], ending: str) -> None:
    inspect_log(tmp_path / "a.json", "C", "2025-01-01", config={}, plan={})
    inspect_log(tmp_path / "b.json", "I", "2025-01-02", **{"config": {}, "plan": {}, **task})
    scores = {one.model: one.items[0].values["match"] for one in item_scores.read([tmp_path]).scored}
    assert list(scores.values()) == [1.0, 0.0]
    assert f"ollama/llama3.1{ending}" in scores


def test_inspects_repeats_are_used_once(tmp_path: Path) -> None:
    inspect_log(tmp_path / "b.json", "C", "2025-01-01")
    inspect_log(tmp_path / "a.json", "I", "2025-01-02")
    found = item_scores.read([tmp_path])
    assert [(one.model, one.items[0].values["match"]) for one in found.scored] == [("ollama/llama3.1", 0.0)]
    assert found.remarks == (
        "ollama/llama3.1 was evaluated again with the same settings on popularity: a.json is used, b.json is not",
    )


def test_files_that_are_named_are_two(tmp_path: Path) -> None:
    """A model behind an API may have changed though nothing in its logs says so."""
    both = [tmp_path / "a.json", tmp_path / "b.json"]
    for path, letter in zip(both, "CI", strict=True):
        inspect_log(path, letter, "2025-01-01")
    assert [one.model for one in item_scores.read(both).scored] == [f"{path}/ollama/llama3.1" for path in both]
    evaluate(tmp_path, FIRST, LOW)
    evaluate(tmp_path, SECOND, HIGH)
    results = sorted((tmp_path / PYTHIA).glob("results_*"))
    assert [one.model for one in item_scores.read(results).scored] == [f"{path}/{PYTHIA}" for path in results]


def test_a_group_of_seeds_is_not_mixed_with_that_of_another_run(tmp_path: Path) -> None:
    both = [run(tmp_path / "a", LOW, group="g", seed=1), run(tmp_path / "b", HIGH, group="g", seed=1)]
    groups = [f"{folder}/g" for folder in both]
    assert [one.group for one in item_scores.read(both).scored] == groups
    assert [{row.group for row in source.rows} for source in sources.read_all(both)] == [{group} for group in groups]


def test_a_folder_is_read_once_however_it_is_spelt(tmp_path: Path) -> None:
    evaluate(tmp_path / "a", FIRST, LOW)
    spelt = [tmp_path / "a", tmp_path / "b" / ".." / "a"]
    (tmp_path / "b").mkdir()
    assert [source.models for source in sources.read_all(spelt)] == [(PYTHIA,)]
    assert [one.model for one in item_scores.read(spelt).scored] == [PYTHIA]


def test_long_values_are_named_by_their_hash(tmp_path: Path) -> None:
    evaluate(tmp_path, FIRST, LOW, config={"model_args": {"pretrained": "EleutherAI/pythia-70m", "x": "a" * 500}})
    evaluate(
        tmp_path, SECOND, HIGH, config={"model_args": {"pretrained": "EleutherAI/pythia-70m", "x": "a" * 499 + "b"}}
    )
    names = list(report(tmp_path))
    assert len(names) == 2
    assert all(len(name) < 50 for name in names)
