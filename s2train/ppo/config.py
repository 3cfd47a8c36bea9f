"""What the YAML of `s2train ppo` may say; `ppo:` are the algorithm's own settings (`settings.py`)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from s2train.ppo.settings import PPO
from s2train.training import calibration
from s2train.training.config import Lora, Model, Section, StageConfig, check_data

Tracker = Literal["none", "wandb", "tensorboard", "trackio"]


class RewardModel(Section):
    """A reward.

    Attributes:
        adapter: folder or hub id of what `s2train reward` made on the same base.
        weight: in the sum of rewards.
    """

    adapter: str = Field(min_length=1)
    weight: float = 1.0


class Questions(Section):
    """What is answered.

    Attributes:
        dir: folder that `s2train data` made.
        set: of `dir`; its questions are used, its answers are not.
        prompts, validation_prompts: files instead, of lines with `question` or `prompt`.
        limit, validation_limit: the first lines only.
        max_prompt: tokens; longer prompts are left out and counted.
    """

    dir: str | None = None
    set: Literal["eli5", "wiki", "full"] = "full"
    prompts: str | None = None
    validation_prompts: str | None = None
    limit: int | None = Field(None, ge=1)
    validation_limit: int | None = Field(None, ge=1)
    max_prompt: int = Field(256, ge=1)

    @model_validator(mode="after")
    def _somewhere(self) -> Questions:
        check_data(self, "prompts")
        return self


class Evaluate(Section):
    """The first validation prompts, answered before training, every so many steps, and at the end.

    Attributes:
        every: steps; 0 = only before and after.
        prompts: how many; 0 = none.
        max_tokens: of an answer; default: `ppo.max_new_tokens`.
        greedy: the most probable token each time, instead of sampling as in training with random numbers that are the
            same at every evaluation. The KL is then no estimate of the expectation any more.
    """

    every: int = Field(20, ge=0)
    prompts: int = Field(16, ge=0)
    max_tokens: int | None = Field(None, ge=1)
    greedy: bool = False


class Rewarded(StageConfig):
    """A training in which reward models of the same base judge what the policy says.

    Attributes:
        rewards: name → reward model; a folder alone has weight 1.
        gate: accuracy on held-out pairs that reward models need.
        allow_below_gate: use them anyway.
    """

    rewards: dict[str, RewardModel] = Field(min_length=1)
    gate: float = Field(calibration.GATE, ge=0, le=1)
    allow_below_gate: bool = False

    @field_validator("rewards", mode="before")
    @classmethod
    def _folders(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: {"adapter": reward} if isinstance(reward, str) else reward for name, reward in value.items()}

    @field_validator("rewards")
    @classmethod
    def _names(cls, value: dict[str, RewardModel]) -> dict[str, RewardModel]:
        for name in value:
            if not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"{name!r}: expected letters, digits, - and _")
        return value

    @field_validator("model")
    @classmethod
    def _adapted(cls, value: Model) -> Model:
        if value.method == "full":
            raise ValueError("method full changes the base, on which the other roles stand: lora or qlora")
        return value


class Ppo(Rewarded):
    """`s2train ppo`.

    Attributes:
        algorithm: what is done with the rewards; `rloo` and `grpo` have a configuration of their own
            (`ppo.online`).
        data: whose questions are answered.
        value: shape of the value's adapter; its head begins at zero.
        ppo: the algorithm's settings.
        evaluate: how it goes, on questions that are not trained on.
        save_every: steps between checkpoints, of which two are kept.
        report_to: a tracker that gets the metrics too.
    """

    algorithm: Literal["ppo"] = "ppo"
    data: Questions
    value: Lora = Lora.model_validate({"r": 16, "alpha": 32})
    ppo: PPO = PPO()
    evaluate: Evaluate = Evaluate.model_validate({})
    save_every: int = Field(10, ge=1)
    report_to: Tracker = "none"
