"""The metrics that anybody's task YAML may name, in a YAML that knows nothing else of s2eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bert_score import BERTScorer
from lm_eval import simple_evaluate
from lm_eval.api.instance import Instance
from lm_eval.tasks import TaskManager
from rouge_score.rouge_scorer import RougeScorer

import s2eval.metrics
from s2eval.metrics import encoders
from s2eval.models.s2 import S2LM
from s2eval.tasks.aggregations import BertPair, mean_bertscore_f1

QUESTIONS = ["Why is the sky blue?", "Why is ice slippery?", "What is a volcano?", "What is rain?"]
DECODING = {"until": ["Question:"], "max_gen_toks": 24, "do_sample": False}
YAML = """
task: somebodys_task
dataset_path: json
dataset_kwargs:
  data_files: {{test: "{folder}/documents.jsonl"}}
  cache_dir: "{folder}/cache"
test_split: test
output_type: generate_until
doc_to_text: "Question: {{{{ask}}}}\\nAnswer:"
doc_to_target: gold
generation_kwargs: {decoding}
metric_list:
  - metric: exact_match
  - metric: s2_rouge1
  - metric: s2_rouge2
  - metric: s2_rougeL
  - metric: s2_rougeLsum
  - metric: s2_bertscore
    encoder: minilm
  - metric: s2_fre
  - metric: s2_fkg
"""
ROUGE = {"s2_rouge1": "rouge1", "s2_rouge2": "rouge2", "s2_rougeL": "rougeL", "s2_rougeLsum": "rougeLsum"}
NAMEABLE = (*ROUGE, "s2_bertscore", "s2_fre", "s2_fkg")


class Results:
    """What lm-eval returned for that task, and how often BERTScore's encoder was loaded meanwhile."""

    def __init__(self, results: dict[str, Any], loads: int) -> None:
        self.numbers = results["results"]["somebodys_task"]
        self.higher_is_better = results["higher_is_better"]["somebodys_task"]
        samples = results["samples"]["somebodys_task"]
        self.pairs = [(sample["filtered_resps"][0].strip(), sample["target"]) for sample in samples]
        self.loads = loads

    def value(self, metric: str) -> float:
        return self.numbers[f"{metric},none"]


def documents(lm: S2LM) -> list[dict[str, str]]:
    """Questions with references that share some of the words that this model of random weights will answer."""
    prompts = [f"Question: {question}\nAnswer:" for question in QUESTIONS]
    asked = [Instance("generate_until", {}, (prompt, dict(DECODING)), number) for number, prompt in enumerate(prompts)]
    found: list[dict[str, str]] = []
    for question, answer in zip(QUESTIONS, lm.generate_until(asked, disable_tqdm=True), strict=True):
        words = answer.split()
        lines = [" ".join(words[5:] + words[3:5]), "Air scatters light.", " ".join(words[:2])]
        found.append({"ask": question, "gold": "\n".join(lines)})
    return found


@pytest.fixture(scope="module")
def results(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("somebody")
    lm = S2LM(pretrained=str(tiny_model))
    lines = "".join(json.dumps(document) + "\n" for document in documents(lm))
    (folder / "documents.jsonl").write_text(lines, encoding="utf-8")
    config = YAML.format(folder=folder, decoding=json.dumps(DECODING))
    (folder / "somebodys_task.yaml").write_text(config, encoding="utf-8")
    load, loaded = encoders.load_encoder, []

    def counted(*arguments: Any) -> Any:
        loaded.append(arguments)
        return load(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "load_encoder", counted)
        found = simple_evaluate(
            model=lm,
            tasks=["somebodys_task"],
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            limit=3,
        )
    assert found is not None
    return Results(found, len(loaded))


def test_the_answers_are_worth_measuring(results: Results) -> None:
    assert len(results.pairs) == 3
    assert all(answer and "Air scatters light." in reference for answer, reference in results.pairs)


def test_rouge_is_the_librarys(results: Results) -> None:
    scorer = RougeScorer(list(ROUGE.values()), use_stemmer=False)
    scores = [scorer.score(target=reference, prediction=answer) for answer, reference in results.pairs]
    for metric, name in ROUGE.items():
        assert results.value(metric) == pytest.approx(sum(one[name].fmeasure for one in scores) / 3, abs=1e-12), metric
    assert len({results.value(metric) for metric in ROUGE}) == 4  # so that none stands for another


def test_bertscore_is_the_librarys(results: Results) -> None:
    encoder = s2eval.metrics.resolve_encoder("minilm")
    scorer: Any = BERTScorer(model_type=encoder.source, num_layers=encoder.num_layers, device="cpu")
    _, _, f1 = scorer.score([answer for answer, _ in results.pairs], [reference for _, reference in results.pairs])
    assert results.value("s2_bertscore") == pytest.approx(f1.mean().item(), abs=1e-6)
    assert 0 < results.value("s2_bertscore") < 1


def test_the_encoder_is_loaded_once(results: Results) -> None:
    assert results.loads == 1


def test_readability_is_that_of_the_rounded_answers(results: Results) -> None:
    measured = [s2eval.metrics.readability(answer) for answer, _ in results.pairs]
    assert results.value("s2_fre") == pytest.approx(sum(round(one.fre, 2) for one in measured) / 3)
    assert results.value("s2_fkg") == pytest.approx(sum(round(one.fkg, 1) for one in measured) / 3)


def test_every_metric_has_a_standard_error(results: Results) -> None:
    errors = {metric: results.numbers[f"{metric}_stderr,none"] for metric in NAMEABLE}
    assert {metric: type(error) for metric, error in errors.items()} == dict.fromkeys(NAMEABLE, float)
    assert errors["s2_bertscore"] > 0


def test_the_direction_is_told(results: Results) -> None:
    assert {metric: results.higher_is_better[metric] for metric in NAMEABLE} == {
        metric: metric != "s2_fkg" for metric in NAMEABLE
    }


def test_lm_evals_own_metric_beside_them(results: Results) -> None:
    assert results.value("exact_match") == 0.0


def test_one_score_over_two_encoders_is_refused() -> None:
    pairs = [BertPair("a", "b", "minilm", None), BertPair("a", "b", "minilm", 3)]
    with pytest.raises(ValueError, match="one BERTScore over several encoders"):
        mean_bertscore_f1(pairs)
