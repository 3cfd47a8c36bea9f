"""`s2train label` as users call it, from prompts to preferences that training reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2train.label import job as jobs
from s2train.label import sampling
from s2train.label.bases import Bases
from s2train.label.run import run
from s2train.label.sampling import Sampling
from tests.s2train.merge import tiny as whole
from tests.s2train.training import tiny
from tests.s2train.training.test_command import s2train

FEW = ("--answers", 3, "--max-tokens", 6, "--limit", 5)


def arguments(made: dict[str, Path], out: Path, *more: object) -> list[object]:
    ranks = ("--rank", f"reward:{made['plain']}", "--rank", f"dpo:{made['dpo-sft']}")
    return ["label", "--data", made["data"], "--policy", f"adapter:{made['sft']}", *ranks, "--out", out, *FEW, *more]


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def labels(made: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("labels") / "labels.jsonl"
    assert s2train(*arguments(made, out)) == 0
    return out


def test_what_is_written(made: dict[str, Path], labels: Path) -> None:
    answers, about = rows(labels.with_name("labels.answers.jsonl")), json.loads(labels.with_suffix(".json").read_text())
    prompts = [pair["question"] for pair in tiny.pairs(5)]
    assert [(one["prompt"], one["number"]) for one in answers] == [(prompt, n) for prompt in prompts for n in range(3)]
    assert len({one["answer"] for one in answers}) > 10
    (reward,), (dpo,) = (ranking["parts"] for ranking in about["rankings"])
    assert all(one["scores"].keys() == {reward["key"], dpo["key"]} for one in answers)
    assert (dpo["reference"], dpo["beta"]) == ("sft", 0.1)
    assert about["measured"]["sample"]["answers"] == 15
    assert str(made["base"].parent) not in labels.with_suffix(".json").read_text()
    for pair, prompt in zip(rows(labels), prompts, strict=True):
        mine = {one["answer"]: one["scores"][reward["key"]] for one in answers if one["prompt"] == prompt}
        assert pair["chosen"] == max(mine, key=lambda answer: mine[answer])
        assert pair["rejected"] == min(mine, key=lambda answer: mine[answer])
        assert pair["margin"] == pytest.approx(max(mine.values()) - min(mine.values()), rel=1e-5)
        assert (pair["prompt"], pair["aspect"], pair["source"]) == (prompt, "simplicity", "label/sft")


@pytest.mark.parametrize("stage", ["reward", "dpo"])
def test_training_reads_it(
    stage: str, made: dict[str, Path], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    raw = tiny.recipe(stage, made["base"], made["data"], tmp_path / "out")
    raw["data"] = {"train": str(labels), "aspect": "simplicity"}
    (tmp_path / "some.yaml").write_text(yaml.safe_dump(raw))
    assert s2train(stage, tmp_path / "some.yaml", "--dry-run") == 0
    assert "train: 5 of 5 rows" in capsys.readouterr().out


def test_a_stopped_run_goes_on_where_it_was(
    made: dict[str, Path], labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after 4 answers, then after the first ranker; nothing is done twice, and the same comes out."""
    out, asked, heard = tmp_path / "labels.jsonl", [], []
    real = sampling.sample

    def sample(bases: Any, who: Any, how: Any, wanted: Any) -> Any:
        asked.append(len(wanted))
        return real(bases, who, how, wanted)

    monkeypatch.setattr(sampling, "sample", sample)
    request = jobs.Request(
        prompts=jobs.sources(None, made["data"], "eli5", "train"),
        policy=f"adapter:{made['sft']}",
        rankings=(f"reward:{made['plain']}", f"dpo:{made['dpo-sft']}"),
        out=out,
        answers=3,
        how=Sampling(max_tokens=6),
        limit=5,
    )
    job = jobs.prepare(request)
    for stop in (("answers", 4), (f"dpo:{made['dpo-sft'].name}", 0)):

        def progress(what: str, done: int, total: int, stop: tuple[str, int] = stop) -> None:
            heard.append((what, done))
            if (what, done) == stop:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(job, progress)
    assert not out.exists()
    assert run(job, lambda what, done, _: heard.append((what, done))).sample.answers == 15
    assert asked == [15, 11, 0]
    assert ("reward:plain", 15) in heard
    for name in ("labels.jsonl", "labels.answers.jsonl", "labels.json"):
        assert (tmp_path / name).read_bytes() == labels.with_name(name).read_bytes()


def test_an_answer_depends_on_its_prompt_and_number_only(made: dict[str, Path], labels: Path, tmp_path: Path) -> None:
    """Beside other prompts and more answers, and ranked by others: the same."""
    (tmp_path / "few.jsonl").write_text(json.dumps({"prompt": "Why is number 3 so?"}) + "\n")
    more = ["--prompts", tmp_path / "few.jsonl", "--answers", 5, "--max-tokens", 6, "--out", tmp_path / "x.jsonl"]
    both = f"reward:{made['plain']}*0.5+reward:{made['other']}*2"
    assert s2train("label", "--policy", f"adapter:{made['sft']}", "--rank", both, *more, "--allow-below-gate") == 0
    here = {one["number"]: one["answer"] for one in rows(tmp_path / "x.answers.jsonl")}
    there = rows(labels.with_name("labels.answers.jsonl"))
    assert {
        one["number"]: one["answer"] for one in there if one["prompt"] == "Why is number 3 so?"
    }.items() <= here.items()
    assert len(here) == 5


def test_the_tables(made: dict[str, Path], labels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert s2train(*arguments(made, labels, "--pairs", "all", "--min-margin", 1e9)) == 0
    told = capsys.readouterr()
    assert "| margin too small, no pair " in told.out
    assert "## Agreement with reward:plain" in told.out
    assert "answers: 15 of 15" in told.err
    assert rows(labels) == []
    assert s2train(*arguments(made, labels, "--format", "json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in found["rankings"]] == ["reward:plain", "dpo:dpo-sft"]
    assert found["agreements"][0]["alike"]["n"] == 15  # 5 prompts of 3 pairs
    assert found["labels"]["pairs"] == 5


def test_a_whole_model_of_other_weights_is_a_policy_too(
    made: dict[str, Path], smollm2: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tiny.base(tmp_path / "other", smollm2, seed=4)
    out = tmp_path / "labels.jsonl"
    ranks = ["--rank", f"reward:{made['plain']}", "--policy", other, "--template", "s2-space"]
    assert s2train("label", "--data", made["data"], *ranks, "--out", out, *FEW) == 0
    assert "reads prompts in the template s2 that it was trained with" in capsys.readouterr().err
    assert rows(out)[0]["source"] == "label/other"


def test_an_architecture_that_the_generator_does_not_know(
    made: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By transformers' loop; whether an answer was cut is told of each."""
    from transformers import AutoTokenizer

    words = AutoTokenizer.from_pretrained(made["base"])
    size = {"vocab_size": len(words), "bos_token_id": 0, "eos_token_id": 0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
    folder = whole.base(tmp_path / "gpt2", kind="gpt2", reorder_and_upcast_attn=True, n_positions=128, **size)
    words.save_pretrained(folder)
    who = sampling.policy(str(folder), "s2")
    wanted = [("Why?", 0), ("Why?", 1), ("How?", 0)]
    found = list(sampling.sample(Bases(), who, Sampling(max_tokens=4), wanted))
    assert {(line.prompt, line.number) for line in found} == set(wanted)
    assert len({line.answer for line in found}) == 3
    assert "hf's path" in caplog.text
    assert not any(line.ended for line in found)


@pytest.mark.parametrize(
    ("more", "code", "why"),
    [
        (("--answers", 1), 2, "expected 2 or more"),
        (("--temperature", 0), 2, "expected above 0"),
        (("--top-p", 0, "--min-margin", -1), 2, "--top-p 0: expected above 0 and at most 1; --min-margin -1"),
        (("--out", "x.json"), 2, "expected FILE.jsonl"),
        (("--max-tokens", 250), 2, "have a context of 256"),
        (("--max-prompt", 2), 2, "all 5 prompts are too long"),
        (("--prompts", "x.jsonl"), 2, "where are the prompts?"),
        (("--set", "wiki"), 2, "wiki/train.jsonl"),
        (("--policy", "nothing/at/all"), 1, "no folder"),
        (("--policy", "openai:gpt-4"), 2, "models behind an API"),
        (("--template", "s3"), 2, "unknown template"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_loaded(
    more: tuple[object, ...],
    code: int,
    why: str,
    made: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert s2train(*arguments(made, tmp_path / "labels.jsonl", *more)) == code
    assert why in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_ranking_named_twice_and_a_file_of_others(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.jsonl"
    assert s2train(*arguments(made, out, "--rank", f"reward:{made['plain']}")) == 2
    assert "named twice" in capsys.readouterr().err
    out.write_text("precious\n")
    assert s2train(*arguments(made, out)) == 2
    assert "already exists" in capsys.readouterr().err
    assert out.read_text() == "precious\n"


def test_the_dry_run_loads_and_writes_nothing(
    made: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert s2train(*arguments(made, tmp_path / "labels.jsonl", "--dry-run")) == 0
    told = capsys.readouterr().err
    assert "eli5/train.jsonl: 5 prompts of 5 rows" in told
    assert "labels by reward:plain; compared with dpo:dpo-sft" in told
    assert list(tmp_path.iterdir()) == []


def test_prompts_are_asked_once_and_counted(made: dict[str, Path], tmp_path: Path) -> None:
    lines = [{"prompt": "a"}, {"question": "b", "answer": "x"}, {"prompt": "a"}, {"prompt": "long " * 9}]
    (tmp_path / "p.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = jobs.read_questions(tmp_path / "p.jsonl", "p", lambda prompt: len(prompt) < 9)
    assert found.prompts == ("a", "b")
    assert found.line() == "p: 2 prompts of 4 rows; 1 came before; 1 were too long and left out"


def test_whether_an_answer_ended(made: dict[str, Path]) -> None:
    """At the limit it did not; at a stop text, which is not part of it, it did."""
    who, wanted = sampling.policy(f"adapter:{made['sft']}"), [(f"Why is number {n} so?", n) for n in range(4)]

    def answers(*stop: str) -> dict[str, tuple[str, bool]]:
        policy = replace(who, template=replace(who.template, stop=stop))
        found = sampling.sample(Bases(), policy, Sampling(max_tokens=8), wanted)
        return {line.prompt: (line.answer, line.ended) for line in found}

    plain = answers("### Human:")
    assert not any(ended for _, ended in plain.values())
    mark = plain[wanted[0][0]][0][-4:]
    stopped = answers(mark)
    assert stopped == {prompt: (text.partition(mark)[0].strip(), mark in text) for prompt, (text, _) in plain.items()}
    assert stopped[wanted[0][0]][1]


def test_what_makes_other_answers(made: dict[str, Path]) -> None:
    """The key under which answers are kept changes with all that they depend on, and with nothing else."""
    who, how = sampling.policy(f"adapter:{made['sft']}"), Sampling()
    hows = [how, replace(how, seed=1), replace(how, top_k=5), replace(how, top_p=0.9), replace(how, temperature=0.5)]
    keys = {who.key(one) for one in [*hows, replace(how, max_tokens=9)]}
    keys |= {
        sampling.policy(f"adapter:{made['sft']}", "s2-space").key(how),
        sampling.policy(str(made["base"])).key(how),
    }
    assert len(keys) == 8
    assert sampling.policy(f"adapter:{made['sft']}@{made['base']}").key(Sampling()) == who.key(how)
