"""Every shipped task YAML, read strictly and built by lm-eval itself; the requests that lm-eval makes of them."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from lm_eval.config.group import GroupConfig
from lm_eval.tasks import TaskManager
from lm_eval.tasks._yaml_loader import load_yaml

from s2eval import data, paths, prompts
from s2eval.errors import DataError, UsageError
from s2eval.prompts import Turn
from s2eval.tasks.leaderboard import documents as leaderboard
from s2eval.tasks.leaderboard import lm_eval as functions
from s2eval.tasks.leaderboard import rows
from s2eval.tasks.leaderboard.rows import SUBJECTS
from s2eval.tasks.qa.documents import PAIRS

FILES = {path.stem: path for path in sorted(paths.tasks().rglob("*.yaml"))}
FOUR = ("arc_challenge", "hellaswag", "mmlu", "truthfulqa_mc2")
QA = ("eli5", "wiki", "full")
# INTERFACES: what users type
TASKS = (
    {f"{prefix}_{name}" for prefix in ("s2", "s2demo") for name in (*FOUR, *QA)}
    | {f"s2_mmlu_{subject}" for subject in SUBJECTS}
    | {"s2_mtsbench"}
)
GROUPS, TAGS = {"s2_leaderboard", "s2demo_leaderboard"}, {"s2_qa", "s2demo_qa"}
GOLDEN_SUBJECTS = (  # those of which ../shared/data has the rows
    "abstract_algebra",
    "anatomy",
    "astronomy",
    "college_computer_science",
    "elementary_mathematics",
    "global_facts",
    "high_school_biology",
    "high_school_geography",
    "human_sexuality",
    "marketing",
    "nutrition",
    "world_religions",
)


def manager(**metadata: Any) -> Any:
    """lm-eval's, over our folder alone; `metadata` is what a command line's --model_args become."""
    return TaskManager(include_path=str(paths.tasks()), include_defaults=False, metadata=metadata)


def built(name: str, **metadata: Any) -> Any:
    return manager(**metadata).load([name])["tasks"][name]


def requests(task: Any, limit: int) -> list[Any]:
    """lm-eval's request instances of the first documents."""
    task.build_all_requests(limit=limit)
    return task.instances


def checksum(instances: Iterable[Any]) -> str:
    """As ../shared/data/README.md has it: context NUL continuation SOH."""
    digest = hashlib.sha256()
    for instance in instances:
        context, continuation = instance.args
        digest.update(f"{context}\0{continuation}\1".encode())
    return digest.hexdigest()


# --- files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_strictly(name: str) -> None:
    config = load_yaml(FILES[name])  # imports every !function, or raises
    assert config.get("task" if name in TASKS else "group") == name
    if name in TASKS:
        assert callable(config["custom_dataset"])
        assert callable(config["process_results"])
        aggregations = [metric["aggregation"] for metric in config["metric_list"]]
        assert all(one == "mean" or callable(one) for one in aggregations)
    else:
        assert set(config["task"]) <= TASKS
        assert GroupConfig(**config).group == name  # unknown keys are refused


def test_the_index_knows_every_name_and_skips_no_file(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="lm_eval.tasks._index"):
        index = manager().task_index
    said = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("Built task index") for line in said)  # the log is the one that tells
    assert [line for line in said if line.startswith(("Skip", "Duplicate"))] == []
    assert set(index) == TASKS | GROUPS | TAGS
    assert set(FILES) == TASKS | GROUPS
    assert {name: index[name].tags for name in TAGS} == {
        f"{prefix}_qa": {f"{prefix}_{name}" for name in QA} for prefix in ("s2", "s2demo")
    }


def test_every_subject_has_a_file_that_names_it() -> None:
    found = {name: load_yaml(path)["dataset_kwargs"]["subject"] for name, path in FILES.items() if "s2_mmlu_" in name}
    assert found == {f"s2_mmlu_{subject}": subject for subject in SUBJECTS}


def test_no_python_lies_beside_yaml() -> None:
    assert list(paths.tasks().rglob("*.py")) == []


# --- the demonstration -----------------------------------------------------------------------------------------


def demo(source: data.Source[Any], split: str) -> list[Any]:
    return data.load(source, split, paths.demo_data())


def first(name: str, **metadata: Any) -> tuple[Any, list[tuple[str, str]]]:
    """The task and its first document's requests as (context, continuation)."""
    task = built(name, **metadata)
    return task, [instance.args for instance in requests(task, 1)]


def test_demo_arc() -> None:
    task, asked = first("s2demo_arc_challenge")
    document = task.eval_docs[0]
    ((context,), continuations) = {context for context, _ in asked}, [continuation for _, continuation in asked]
    blocks = context.split("\n\n")
    assert len(blocks) == 26  # 25 shots and the question
    assert all(block.startswith("Question: ") for block in blocks)
    assert blocks[-1] == document["query"]
    assert context.endswith("\nAnswer:")
    row = {row.id: row for row in demo(rows.ARC, "test")}[document["id"]]
    assert blocks[-1] == f"Question: {row.question}\nAnswer:"
    assert continuations == [f" {text}" for text in row.choices.text]
    assert len(task.eval_docs) >= 24


def test_demo_hellaswag() -> None:
    task, asked = first("s2demo_hellaswag")
    context, _ = asked[0]
    blocks = context.split("\n\n")
    assert len(blocks) == 11
    assert blocks[-1] == task.eval_docs[0]["query"]
    pool = {
        f"{item.query} {item.choices[item.gold]}"
        for item in map(leaderboard.hellaswag_item, demo(rows.HELLASWAG, "train"))
    }
    assert set(blocks[:-1]) <= pool
    assert len(asked) == 4
    assert len(task.eval_docs) >= 24


def test_demo_mmlu() -> None:
    task, asked = first("s2demo_mmlu")
    context, _ = asked[0]
    head, *blocks = context.split("\n\n")
    assert head == "The following are multiple choice questions (with answers) about astronomy."
    assert len(blocks) == 6
    dev = demo(rows.MMLU.part("astronomy"), "dev")
    assert [block[-1] for block in blocks[:-1]] == ["ABCD"[row.answer] for row in dev]
    assert [continuation for _, continuation in asked] == [" A", " B", " C", " D"]
    assert len({task.eval_docs[number]["subject"] for number in range(3)}) == 3  # a limit takes some of each
    assert len(task.eval_docs) >= 24


def test_demo_truthfulqa() -> None:
    task, asked = first("s2demo_truthfulqa_mc2")
    context, _ = asked[0]
    pairs = context.split("\n\n")
    assert pairs[0].startswith("Q: What is human life expectancy in the United States?\nA: ")
    assert len(pairs) == 7  # the fixed six and the question
    row = next(row for row in demo(rows.TRUTHFULQA, "validation") if pairs[-1] == f"Q: {row.question}\nA:")
    assert [continuation for _, continuation in asked] == [f" {choice}" for choice in row.mc2_targets.choices]
    assert len(task.eval_docs) >= 24


@pytest.mark.parametrize("name", QA)
def test_demo_questions(name: str, tiny_model: Path, smollm2: Path) -> None:
    task, ((prompt, decoding),) = first(f"s2demo_{name}", pretrained=str(tiny_model))
    question = task.eval_docs[0]["question"]
    assert prompt == f"### Human: {question} ###Assistant:"  # the paper's, where the tokenizer has no template
    assert decoding == {"until": ["### Human:"], "max_gen_toks": 256, "do_sample": False, "temperature": 0.0}
    sets = ("eli5", "wiki") if name == "full" else (name,)
    rows = [row for one in sets for row in demo(PAIRS[one], "validation")]
    assert {doc["id"] for doc in task.eval_docs} == {row.id for row in rows}  # all: fewer than 100
    assert len(task.eval_docs) == len(rows) == 40 * len(sets)
    _, ((chat, _),) = first(f"s2demo_{name}", pretrained=str(smollm2))
    assert chat.endswith(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n")


def test_the_template_and_the_sample_can_be_chosen(tiny_model: Path) -> None:
    task, ((prompt, _),) = first("s2demo_wiki", template="s2-space", sample_size=7, sample_seed=1)
    question = task.eval_docs[0]["question"]
    assert prompt == f"### Human: {question} ### Assistant:"
    assert task.eval_docs[0]["template_hash"] == prompts.get("s2-space").hash
    assert len(task.eval_docs) == 7
    assert prompts.get("s2-space").render([Turn(question)]) == prompt


# --- real data -------------------------------------------------------------------------------------------------


@pytest.fixture
def real_data(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("S2_DATA_DIR", str(shared_data / "leaderboard"))
    monkeypatch.setenv("S2_MMLU_SUBJECTS", "present")
    return shared_data / "leaderboard"


@pytest.fixture(scope="module")
def golden(shared_data: Path) -> dict[str, str]:
    found = json.loads((shared_data / "leaderboard" / "golden_requests.json").read_text(encoding="utf-8"))
    return {name: one["sha256_first_20_docs"] for name, one in found.items()}


@pytest.mark.parametrize("name", ["arc_challenge", "hellaswag", "truthfulqa_mc2"])
def test_lm_eval_makes_the_requests_of_2023(name: str, real_data: Path, golden: dict[str, str]) -> None:
    assert checksum(requests(built(f"s2_{name}"), 20)) == golden[name]


@pytest.mark.parametrize("subject", GOLDEN_SUBJECTS)
def test_lm_eval_makes_the_requests_of_a_subject(subject: str, real_data: Path, golden: dict[str, str]) -> None:
    assert checksum(requests(built(f"s2_mmlu_{subject}"), 20)) == golden[f"mmlu/{subject}"]


def test_mmlu_in_one_task_makes_the_same_requests(real_data: Path, golden: dict[str, str]) -> None:
    by_subject: dict[str, list[Any]] = {}
    for instance in requests(built("s2_mmlu"), 20 * len(GOLDEN_SUBJECTS)):
        by_subject.setdefault(instance.doc["subject"], []).append(instance)
    found = {f"mmlu/{subject}": checksum(instances) for subject, instances in by_subject.items()}
    assert found == {name: digest for name, digest in golden.items() if name.startswith("mmlu/")}


@pytest.mark.parametrize("name", [f"s2_mmlu_{subject}" for subject in SUBJECTS if subject not in GOLDEN_SUBJECTS])
def test_a_missing_subject_is_told(name: str, real_data: Path) -> None:
    subject = name.removeprefix("s2_mmlu_")
    with pytest.raises(DataError) as caught:
        built(name)
    assert f"{real_data}/mmlu/{subject}/test.jsonl: no such file" in str(caught.value)
    assert "S2_DATA_DIR" in str(caught.value)
    assert f"the hub's cais/mmlu, configuration {subject}" in str(caught.value)


@pytest.mark.parametrize("name", QA)
def test_the_question_tasks_are_built(name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2_DATA_DIR", str(data_dir))
    monkeypatch.setenv("S2_BERTSCORE_ENCODER", "minilm")
    task, ((prompt, _),) = first(f"s2_{name}")
    rows = data.load(PAIRS[name], "validation", data_dir)
    assert prompt == f"### Human: {task.eval_docs[0]['question']} ###Assistant:"
    assert {doc["question"] for doc in task.eval_docs} <= {row.question for row in rows}


def test_a_missing_encoder_is_told_before_anything_is_evaluated(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("S2_DATA_DIR", str(data_dir))
    monkeypatch.setenv("S2_BERTSCORE_ENCODER", "./no-such-encoder")
    with pytest.raises(UsageError, match="no-such-encoder"):
        built("s2_eli5")


@pytest.mark.parametrize("name", QA)
def test_missing_questions_are_told_with_the_command_that_makes_them(name: str, real_data: Path) -> None:
    with pytest.raises(DataError) as caught:
        built(f"s2_{name}")
    assert f"{real_data}/{name}/validation.jsonl: no such file" in str(caught.value)
    assert "s2train data" in str(caught.value)


# --- tokens ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adds_bos(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a tokenizer that puts BOS before every text, as Llama-2's does."""
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("adds_bos") / "model"
    shutil.copytree(tiny_model, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bos = (tokenizer.bos_token, tokenizer.bos_token_id)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos[0]} $A", pair=f"{bos[0]} $A {bos[0]} $B", special_tokens=[bos]
    )
    tokenizer.save_pretrained(folder)
    assert AutoTokenizer.from_pretrained(folder)("a").input_ids[0] == bos[1]
    return folder


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "s2eval"]


def test_plain_lm_eval_is_told_of_bos(adds_bos: Path, caplog: pytest.LogCaptureFixture) -> None:
    built("s2demo_hellaswag", pretrained=str(adds_bos))
    (said,) = warnings(caplog)
    assert said.startswith(f"{adds_bos}: its tokenizer adds BOS")
    assert "add_bos_token=False" in said


def test_nobody_is_told_of_bos_where_there_is_none(
    adds_bos: Path, tiny_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    built("s2demo_hellaswag", pretrained=str(adds_bos), add_bos_token=False)
    built("s2demo_hellaswag", pretrained=str(tiny_model))
    assert warnings(caplog) == []


def test_a_run_scores_the_leaderboard_without_bos(
    adds_bos: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What reaches the model in `s2eval run`, token for token; questions keep the tokenizer's BOS."""
    from transformers import AutoTokenizer

    from s2eval.config import RunConfig
    from s2eval.models import parse
    from s2eval.models.backend import generation
    from s2eval.models.s2 import S2LM
    from s2eval.run import local, plan
    from s2eval.run.progress import Progress

    scored: list[tuple[list[int], list[int]]] = []
    prompted: list[list[int]] = []
    score, answer = S2LM._loglikelihood_tokens, generation.answer

    def spy_score(self: Any, asked: Any, *arguments: Any, **options: Any) -> Any:
        scored.extend((context, continuation) for _, context, continuation in asked)
        return score(self, asked, *arguments, **options)

    def spy_answer(engine: Any, prompts: Any, width: int) -> Any:
        prompted.extend(prompt.tokens for prompt in prompts)
        return answer(engine, prompts, width)

    monkeypatch.setattr(S2LM, "_loglikelihood_tokens", spy_score)
    monkeypatch.setattr(generation, "answer", spy_answer)
    config = RunConfig.model_validate(
        {
            "name": "bos",
            "models": [{"model": str(adds_bos), "name": "m"}],
            "tasks": ["s2demo_hellaswag", "s2demo_truthfulqa_mc2", "s2demo_eli5"],
            "metrics": ["rouge"],
            "limit": 1,
        }
    )
    units = plan.plan(config, [parse(str(adds_bos))], tmp_path)
    units[2].task.set_config(key="generation_kwargs", value={"max_gen_toks": 2}, update=True)  # saves time
    progress = Progress(units, config, lambda _: None)
    assert local.evaluate(units, config, keep_going=False, progress=progress) == []
    plain = AutoTokenizer.from_pretrained(tiny_model)  # the same vocabulary, no BOS
    wanted = [
        (plain.encode(context), plain.encode(context + continuation)[len(plain.encode(context)) :])
        for unit in units[:2]
        for context, continuation in (instance.args for instance in requests(unit.task, 1))
    ]
    assert scored == wanted
    (question,) = prompted
    bos = plain.bos_token_id
    assert question == [bos, *plain.encode(requests(units[2].task, 1)[0].args[0])]


def test_the_functions_of_yaml_ignore_what_they_do_not_know() -> None:
    assert len(functions.hellaswag(demo=True, pretrained=None, version=1.0, config_source="x")["test"]) == 30
