"""One base, many roles: each says what its own model would say, and none changes another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel

from s2eval.errors import UsageError
from s2train.ppo.roles import POLICY, REFERENCE, VALUE, Answers, Roles, read
from s2train.ppo.rollouts import arrange
from tests.s2train.merge import tiny
from tests.s2train.ppo import cast


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return cast.stored(tmp_path_factory.mktemp("ppo"), aspects=("simplicity", "harmlessness"))


def batch() -> Answers:
    return arrange([[5, 9, 13], [7]], [[4, 2], [8, 9, 10]], pad=0)


def test_prompts_end_and_answers_begin_in_the_same_column() -> None:
    answers = batch()
    assert answers.tokens.tolist() == [[5, 9, 13, 4, 2, 0], [0, 0, 7, 8, 9, 10]]
    assert answers.mask.tolist() == [[1, 1, 1, 1, 1, 0], [0, 0, 1, 1, 1, 1]]
    assert answers.answers.tolist() == [[4, 2, 0], [8, 9, 10]]
    assert answers.before.tolist() == [2, 3, 4]  # what is said at column 2 is about the token of column 3
    assert answers[torch.tensor([1])].tokens.tolist() == [[7, 8, 9, 10]]
    assert answers[torch.tensor([0])].tokens.tolist() == [[5, 9, 13, 4, 2]]


def test_each_role_is_its_own_model(paths: dict[str, Path]) -> None:
    all_of_them = cast.roles(paths, aspects=("simplicity", "harmlessness")).eval()
    alone = PeftModel.from_pretrained(tiny.load(paths["base"]), str(paths["sft"])).eval()
    with torch.no_grad():
        logits = alone(input_ids=torch.tensor([[5, 9, 13, 4, 2]])).logits[0]
        wanted = torch.stack([logits[2].log_softmax(-1)[4], logits[3].log_softmax(-1)[2]])
        for role in (POLICY, REFERENCE):
            torch.testing.assert_close(all_of_them(role, batch())[0, :2], wanted, rtol=0, atol=1e-5)
        for aspect in ("simplicity", "harmlessness"):
            classifier = tiny.load(paths["base"], classifier=True, num_labels=1)
            judge = PeftModel.from_pretrained(classifier, str(paths[aspect])).eval()
            wanted = torch.cat(
                [judge(input_ids=torch.tensor([row])).logits[0] for row in ([5, 9, 13, 4, 2], [7, 8, 9, 10])]
            )
            torch.testing.assert_close(all_of_them(f"reward-{aspect}", batch()), wanted, rtol=0, atol=1e-5)
        assert all_of_them(VALUE, batch()).tolist() == [[0.0] * 3] * 2


def test_a_score_is_read_where_its_classifier_reads_it(paths: dict[str, Path]) -> None:
    """With an end-of-text (2) that is the padding too, before it."""
    roles = cast.roles(paths, padding=cast.END).eval()
    classifier = tiny.load(paths["base"], classifier=True, num_labels=1, pad_token_id=cast.END)
    judge = PeftModel.from_pretrained(classifier, str(paths["simplicity"])).eval()
    with torch.no_grad():
        wanted = judge(input_ids=torch.tensor([[5, 9, 13, 4, cast.END]])).logits[0]
        torch.testing.assert_close(roles("reward-simplicity", batch())[:1], wanted, rtol=0, atol=1e-5)
        assert not torch.allclose(cast.roles(paths).eval()("reward-simplicity", batch())[:1], wanted, atol=1e-3)


def test_a_fresh_policy_is_its_reference_and_the_base(paths: dict[str, Path]) -> None:
    fresh = cast.roles(paths, fresh=True).eval()
    base = tiny.load(paths["base"]).eval()
    with torch.no_grad():
        logits = base(input_ids=torch.tensor([[7, 8, 9, 10]])).logits[0]
        wanted = torch.stack([logits[n].log_softmax(-1)[token] for n, token in enumerate((8, 9, 10))])
        for role in (POLICY, REFERENCE):
            torch.testing.assert_close(fresh(role, batch())[1], wanted, rtol=0, atol=1e-5)


def test_only_policy_and_value_are_trained(paths: dict[str, Path]) -> None:
    trained = {name for name, one in cast.roles(paths).named_parameters() if one.requires_grad}
    assert all(".policy." in name or ".value." in name or name.startswith("heads.value.") for name in trained)
    assert {"heads.value.weight", "heads.value.bias"} < trained
    linears = 2 * 7
    assert len(trained) == 2 * 2 * linears + 2  # A and B of each linear, for two roles, and the head


def test_a_role_leaves_the_adapters_as_they_were_even_after_an_error(paths: dict[str, Path]) -> None:
    roles = cast.roles(paths)
    layers = [(layer._active_adapter, layer._disable_adapters) for layer in roles._layers]
    with pytest.raises(ZeroDivisionError), roles.acting(VALUE):
        _ = 1 / 0
    assert [(layer._active_adapter, layer._disable_adapters) for layer in roles._layers] == layers


def test_backward_of_a_role_reaches_only_its_own_tensors(paths: dict[str, Path]) -> None:
    roles = cast.roles(paths)
    roles(POLICY, batch()).sum().backward()
    reached = {name for name, one in roles.named_parameters() if one.grad is not None}
    assert reached
    assert all(".policy." in name for name in reached)


def test_adapters_that_do_not_fit_are_refused(paths: dict[str, Path], tmp_path: Path) -> None:
    lora = LoraConfig(**cast.LORA)
    other = tiny.base(tmp_path / "other", torch.float32, hidden_size=32)
    sft = tiny.train(tiny.load(other), tmp_path / "sft")
    with pytest.raises(UsageError, match="the model wants another shape for"):
        Roles(tiny.load(paths["base"]), read(sft), lora, {}, cast.PAD)
    with pytest.raises(UsageError, match="no score head"):
        Roles(tiny.load(paths["base"]), lora, lora, {"simplicity": read(paths["sft"])}, cast.PAD)
    whole = tiny.train(tiny.load(paths["base"]), tmp_path / "whole", modules_to_save=["lm_head"])
    with pytest.raises(UsageError, match="modules_to_save is set"):
        Roles(tiny.load(paths["base"]), read(whole), lora, {}, cast.PAD)
