"""What `--rank` may say, and what is refused before anything is loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file

from s2eval.errors import DataError, PrerequisiteError, S2Error, UsageError
from s2train.label.rankings import BETA, KnownBase, Ranker, Ranking, RankingPart, parse, prepare
from s2train.weights import shards
from tests.s2train.training import tiny


def known(made: dict[str, Path]) -> KnownBase:
    return KnownBase(made["base"], shards.fingerprint(shards.find(made["base"])))


def ranking(made: dict[str, Path], text: str, **options: bool) -> Ranking:
    return prepare(parse(text), known(made), **options)


def edited(folder: Path, out: Path, name: str, **values: object) -> Path:
    """A copy of an adapter whose JSON file says something else."""
    shutil.copytree(folder, out)
    path = out / name
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    return out


def test_forms() -> None:
    assert parse("reward:a/b") == [RankingPart("reward", "a/b")]
    assert parse("dpo:runs/x@runs/sft") == [RankingPart("dpo", "runs/x", reference="runs/sft")]
    assert parse("reward:a+b*0.7+reward:c*-2") == [RankingPart("reward", "a+b", 0.7), RankingPart("reward", "c", -2.0)]
    assert parse("reward:a@b") == [RankingPart("reward", "a@b")]  # only a DPO policy has a reference


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("runs/reward", "expected reward:FOLDER"),
        ("reward:", "expected reward:FOLDER"),
        ("reward:a*b", "weight 'b'"),
        ("reward:a*0", "weight '0'"),
        ("reward:a*nan", "weight 'nan'"),
        ("dpo:a+reward:b", "only reward models are added up"),
    ],
)
def test_other_forms_are_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match=why.replace("*", r"\*")):
        parse(text)


def test_a_weighted_sum() -> None:
    def ranker(key: str) -> Ranker:
        return Ranker("reward", key, key, Path(), None, "s2", None)  # type: ignore[arg-type]

    both = Ranking(((ranker("a"), 0.7), (ranker("b"), -2.0)))
    assert both.score({"a": 1.0, "b": 0.25, "c": 9.0}) == pytest.approx(0.2)  # 0.7 · 1 - 2 · 0.25
    assert both.name == "reward:a*0.7 + reward:b*-2"


def test_what_is_read_from_checkpoints(made: dict[str, Path]) -> None:
    ((reward, weight),) = ranking(made, f"reward:{made['plain']}*2").parts
    assert (reward.aspect, reward.accuracy, reward.template, weight) == ("simplicity", 1.0, "s2", 2.0)
    assert reward.base_checkpoint.folder == made["base"]
    ((first, _),) = ranking(made, f"dpo:{made['dpo']}").parts
    assert (first.beta, first.reference) == (0.3, None)
    ((second, _),) = ranking(made, f"dpo:{made['dpo-sft']}").parts
    assert (second.beta, second.reference) == (BETA, made["sft"])  # beside it, by its name
    assert len({reward.key, first.key, second.key}) == 3


def test_trls_beta_is_the_default() -> None:
    from trl import DPOConfig  # pyright: ignore[reportPrivateImportUsage]

    assert DPOConfig.beta == BETA


def test_a_reference_that_moved_must_be_named(made: dict[str, Path], tmp_path: Path) -> None:
    alone = shutil.copytree(made["dpo-sft"], tmp_path / "dpo-sft")
    with pytest.raises(PrerequisiteError, match=r"started from, which is not at .*sft\. Say where it is"):
        ranking(made, f"dpo:{alone}")
    assert ranking(made, f"dpo:{alone}@{made['sft']}").parts[0][0].reference == made["sft"]
    another = shutil.copytree(made["sft"], tmp_path / "sft")
    weights = {name: weight * 2 for name, weight in tiny.weights(another).items()}
    save_file(weights, another / tiny.WEIGHTS)  # trained anew under its name
    with pytest.raises(UsageError, match=r"dpo dpo-sft: it started from other weights than those of .*sft"):
        ranking(made, f"dpo:{alone}")
    with pytest.raises(UsageError, match="dpo plain: an adapter of peft_type LORA and task_type SEQ_CLS"):
        ranking(made, f"dpo:{alone}@{made['plain']}")
    with pytest.raises(UsageError, match="its reference is the base"):
        ranking(made, f"dpo:{made['dpo']}@{made['sft']}")


def test_a_copy_has_the_same_key_and_another_reference_another(made: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(made["dpo-sft"], tmp_path / "dpo-sft")
    one = ranking(made, f"dpo:{made['dpo-sft']}").parts[0][0]
    assert ranking(made, f"dpo:{copy}@{made['sft']}").parts[0][0].key == one.key
    other = edited(made["sft"], tmp_path / "sft", "adapter_config.json", lora_alpha=9)
    assert ranking(made, f"dpo:{copy}@{other}").parts[0][0].key != one.key


def test_a_reward_model_below_the_gate(made: dict[str, Path], tmp_path: Path) -> None:
    poor = edited(made["plain"], tmp_path / "poor", "s2train.json", metrics={"accuracy": 0.6})
    with pytest.raises(UsageError, match=r"orders 60\.0% of held-out pairs .*--allow-below-gate"):
        ranking(made, f"reward:{poor}")
    assert ranking(made, f"reward:{poor}", allow_below_gate=True).parts[0][0].accuracy == 0.6


def test_what_cannot_rank(made: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="says that sft made it"):
        ranking(made, f"reward:{made['sft']}")
    with pytest.raises(DataError, match=r"no s2train\.json"):
        ranking(made, f"dpo:{made['base']}")
    with pytest.raises(PrerequisiteError, match="no folder"):
        ranking(made, f"reward:{tmp_path}/nothing/there")
    whole = shutil.copytree(made["plain"], tmp_path / "whole")
    (whole / "adapter_config.json").unlink()
    with pytest.raises(UsageError, match="a whole model"):
        ranking(made, f"reward:{whole}")
    odd = edited(made["plain"], tmp_path / "odd", "adapter_config.json", task_type="CAUSAL_LM")
    with pytest.raises(UsageError, match="expected LORA and SEQ_CLS"):
        ranking(made, f"reward:{odd}")


def test_another_divergence_has_another_implicit_reward(made: dict[str, Path], tmp_path: Path) -> None:
    recipe = json.loads((made["dpo"] / "s2train.json").read_text())["recipe"]
    recipe["arguments"]["f_divergence_type"] = "js_divergence"
    other = edited(made["dpo"], tmp_path / "other", "s2train.json", recipe=recipe)
    with pytest.raises(UsageError, match="f_divergence_type js_divergence"):
        ranking(made, f"dpo:{other}")


def test_an_adapter_of_another_base(made: dict[str, Path], smollm2: Path, tmp_path: Path) -> None:
    """Its own base is found by what it names; there must be the weights it was trained on."""
    other = tiny.base(tmp_path / "base", smollm2, seed=9)
    lost = KnownBase(other, shards.fingerprint(shards.find(other)))
    found = prepare(parse(f"reward:{made['plain']}"), lost).parts[0][0]
    assert found.base_checkpoint.folder == made["base"]
    moved = edited(made["plain"], tmp_path / "moved", "adapter_config.json", base_model_name_or_path=str(other))
    with pytest.raises(S2Error, match="trained on other weights"):
        prepare(parse(f"reward:{moved}"), lost)
