"""What of PPO can be set; part of the stage's configuration."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class PPO(BaseModel):
    """PPO's own settings. An answer is an episode, a token a step of it.

    Attributes:
        steps: of rollout and optimisation.
        answers: sampled in a step, over all processes.
        minibatch: answers that make one update of the weights, over all processes.
        micro: answers that go through the model together; the rest is accumulated.
        epochs: over the answers of a step.
        max_new_tokens: of an answer.
        temperature, top_k, top_p: of sampling. Log-probabilities are those at `temperature`; limits other than none
            make ratios of another distribution than was sampled from.
        learning_rate, value_learning_rate: of AdamW, for the policy and for the value with its head.
        schedule: of both, over all updates.
        warmup: share of the updates over which they rise.
        weight_decay: of AdamW.
        max_grad_norm: of policy and value, each by itself.
        kl: β at the beginning.
        kl_target: nats an answer at which β is to keep the policy; None: β is fixed.
        kl_horizon: answers after which β has changed by the error.
        gamma, lam: of generalised advantage estimation.
        clip: ε of the policy's ratio.
        value_clip: of the value's change; None: no limit.
        value_weight: of the value's loss.
        whiten_advantages, whiten_rewards: over all answers of a step.
        reward_scale: divide each reward by its running standard deviation.
        reward_clip: largest absolute reward after that; None: any.
        missing_end_penalty: taken from the reward of an answer that did not end by itself.
        checkpointing: keep a layer's input only and compute the layer again for its gradient: less memory, more time.
            None: on accelerators.
        stop_kl: mean log-ratio of a token to the sampling policy at which a step's remaining updates are left out.
        seed: of everything random.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    steps: Count = 200
    answers: Count = 64
    minibatch: Count = 16
    micro: Count = 4
    epochs: Count = 4
    max_new_tokens: Count = 128
    temperature: Positive = 1.0
    top_k: Annotated[int, Field(ge=0)] = 0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    learning_rate: Positive = 1e-5
    value_learning_rate: Positive = 1e-4
    schedule: Literal["constant", "linear", "cosine"] = "linear"
    warmup: Share = 0.0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Positive = 1.0
    kl: Annotated[float, Field(ge=0)] = 0.05
    kl_target: Positive | None = None
    kl_horizon: Count = 10_000
    gamma: Share = 1.0
    lam: Share = 0.95
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    value_clip: Positive | None = 0.2
    value_weight: Positive = 0.1
    whiten_advantages: bool = True
    whiten_rewards: bool = False
    reward_scale: bool = False
    reward_clip: Positive | None = None
    missing_end_penalty: Annotated[float, Field(ge=0)] = 1.0
    stop_kl: Positive | None = None
    checkpointing: bool | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _divides(self) -> PPO:
        if self.answers % self.minibatch:
            raise ValueError(f"answers ({self.answers}) must be a multiple of minibatch ({self.minibatch})")
        if self.minibatch % self.micro:
            raise ValueError(f"minibatch ({self.minibatch}) must be a multiple of micro ({self.micro})")
        return self

    @property
    def updates(self) -> int:
        """Of the weights, in all."""
        return self.steps * self.epochs * (self.answers // self.minibatch)
