"""PPO on one base against PPO with four models; resuming; the arithmetic of schedules and orders."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from s2eval.errors import UsageError
from s2train.ppo.learning import Learner, Task, factor
from s2train.ppo.processes import Processes
from s2train.ppo.roles import REWARD, Answers
from s2train.ppo.settings import PPO
from tests.s2train.ppo import cast


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return cast.stored(tmp_path_factory.mktemp("ppo"))


@pytest.mark.parametrize("checkpointing", [False, True])
def test_the_digits_of_four_models(paths: dict[str, Path], checkpointing: bool) -> None:
    """Three steps, twelve updates; sampling included; a layer that is computed again is in its role."""
    roles = cast.roles(paths)
    four = cast.Four(paths, roles)
    settings = cast.SETTINGS.model_copy(update={"checkpointing": checkpointing})
    learner = Learner(roles, cast.TASK, settings)
    for number in range(3):
        _, ours = learner.step(number)
        theirs = four.step(number)
        assert {key: round(ours[key], 4) for key in theirs} == {key: round(one, 4) for key, one in theirs.items()}
    policy = {name: one for name, one in four.policy.named_parameters() if "lora_" in name}
    for name, tensor in roles.adapter("policy").items():
        other = policy[name.replace(".weight", ".default.weight")]
        torch.testing.assert_close(tensor, other.detach(), rtol=0, atol=2e-5)
    torch.testing.assert_close(roles.heads["value"].weight, four.head.weight, rtol=0, atol=2e-5)


def test_it_learns_what_is_rewarded(paths: dict[str, Path]) -> None:
    """The reward is the share of tokens below 64, a quarter of the vocabulary: an untrained policy has about 0.25."""
    changes = {"steps": 12, "answers": 32, "minibatch": 16, "micro": 16, "epochs": 4, "learning_rate": 1e-2, "kl": 0.0}
    settings = cast.SETTINGS.model_copy(update={**changes, "schedule": "constant", "missing_end_penalty": 0.0})
    roles = cast.roles(paths)

    def forward(role: str, batch: Answers, temperature: float) -> torch.Tensor:
        if role.startswith(REWARD):
            return ((batch.answers < 64) * batch.present).sum(1) / batch.present.sum(1)
        return roles(role, batch, temperature)

    learner = Learner(roles, cast.TASK, settings, forward=forward)
    rewards = [learner.step(number)[1]["reward"] for number in range(12)]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.05


def test_going_on_from_a_state_is_going_on(paths: dict[str, Path], tmp_path: Path) -> None:
    straight = Learner(cast.roles(paths), cast.TASK, cast.SETTINGS)
    for number in range(2):
        straight.step(number)
    torch.save(straight.state(), tmp_path / "state.pt")
    _, wanted = straight.step(2)
    again = Learner(cast.roles(paths), cast.TASK, cast.SETTINGS)
    again.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    _, got = again.step(2)
    assert got == wanted
    for name, tensor in straight.roles.adapter("policy").items():
        assert torch.equal(tensor, again.roles.adapter("policy")[name])


def test_parts_do_not_change_the_sum(paths: dict[str, Path]) -> None:
    """A minibatch of four in one part and in four: the same mean over tokens, but for rounding."""
    found = []
    for micro in (4, 1):
        learner = Learner(cast.roles(paths), cast.TASK, cast.SETTINGS.model_copy(update={"micro": micro}))
        learner.step(0)
        found.append(learner.roles.adapter("policy"))
    for name, tensor in found[0].items():
        torch.testing.assert_close(tensor, found[1][name], rtol=0, atol=2e-5)


def test_every_epoch_asks_every_prompt_once(paths: dict[str, Path]) -> None:
    task = Task([[5], [6], [7], [8]], {}, frozenset({2}), 0)
    settings = PPO(answers=6, minibatch=6, micro=1)
    learner = Learner(cast.roles(paths), task, settings)
    places = [place for step in range(4) for place in learner._places(step)]
    assert [sorted(places[n : n + 4]) for n in range(0, 24, 4)] == [[0, 1, 2, 3]] * 6
    learner.processes = Processes(rank=1, count=2)
    assert list(learner._places(1)) == places[7:12:2]


def test_rates() -> None:
    settings = PPO(steps=2, epochs=2, answers=8, minibatch=4, micro=4, warmup=0.25)  # 8 updates, 2 of them rising
    assert [factor(n, settings) for n in (0, 1, 2, 5, 8)] == pytest.approx([1 / 3, 2 / 3, 1.0, 0.5, 0.0])
    assert factor(5, settings.model_copy(update={"schedule": "constant"})) == 1
    assert factor(5, settings.model_copy(update={"schedule": "cosine"})) == pytest.approx(0.5)


def test_settings_that_do_not_divide() -> None:
    with pytest.raises(ValueError, match="multiple of minibatch"):
        PPO(answers=10, minibatch=4)
    with pytest.raises(ValueError, match="multiple of micro"):
        PPO(answers=12, minibatch=4, micro=3)


def test_what_cannot_be_learnt(paths: dict[str, Path]) -> None:
    roles = cast.roles(paths)
    with pytest.raises(UsageError, match="no prompts"):
        Learner(roles, Task([], {}, frozenset(), 0), cast.SETTINGS)
    with pytest.raises(UsageError, match="no reward model for harmlessness"):
        Learner(roles, Task([[5]], {"harmlessness": 1.0}, frozenset(), 0), cast.SETTINGS)
    with pytest.raises(UsageError, match=r"micro × processes \(6\)"):
        Learner(roles, cast.TASK, cast.SETTINGS, processes=Processes(count=3))
