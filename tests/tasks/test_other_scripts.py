"""lm-eval's own table and log where texts are not in Latin letters: no score, and no 0 in a mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.tasks import TaskManager

from s2eval import store
from s2eval.tasks import lm_eval_metrics as metrics

YAML = """
task: somebodys_task
dataset_path: json
dataset_kwargs: {{data_files: {{test: "{folder}/documents.jsonl"}}, cache_dir: "{folder}/cache"}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{ask}}}}"
doc_to_target: gold
generation_kwargs: {{until: ["\\n"], max_gen_toks: 8, do_sample: false}}
metric_list: [{{metric: s2_rouge1}}, {{metric: s2_fre}}, {{metric: exact_match}}]
"""
CHINESE, ENGLISH = "天空是蓝色的。", "The sky is blue."


class Parrot(LM):
    """Answers with the question."""

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        return [request.args[0] for request in requests]

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        raise NotImplementedError

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        raise NotImplementedError


@pytest.mark.parametrize(("texts", "rouge"), [([CHINESE, ENGLISH, CHINESE], 1.0), ([CHINESE, CHINESE], None)])
def test_such_documents_are_in_no_mean(
    tmp_path: Path, texts: list[str], rouge: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    metrics._not_scored.cache_clear()
    lines = [json.dumps({"ask": text, "gold": text}) for text in texts]
    (tmp_path / "documents.jsonl").write_text("\n".join(lines))
    (tmp_path / "somebodys_task.yaml").write_text(YAML.format(folder=tmp_path))
    manager = TaskManager(include_path=str(tmp_path), include_defaults=False)
    results = simple_evaluate(Parrot(), tasks=["somebodys_task"], task_manager=manager, bootstrap_iters=0)
    numbers = results["results"]["somebodys_task"]
    assert numbers["exact_match,none"] == 1.0
    assert numbers.get("s2_rouge1,none") == rouge
    samples = tmp_path / "samples.jsonl"
    samples.write_text("".join(json.dumps(one) + "\n" for one in results["samples"]["somebodys_task"]))
    scored = [sample.values.get("s2_rouge1") for sample in store.read_samples(samples)]
    assert scored == [1.0 if text == ENGLISH else None for text in texts]
    assert "rouge: some texts are mostly not in Latin letters" in caplog.text
