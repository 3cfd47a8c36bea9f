"""One frozen base that plays every role: a role is which adapter is active, and what is read off the last layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import LoraConfig, PeftConfig, get_peft_model, get_peft_model_state_dict
from peft.tuners.tuners_utils import BaseTunerLayer
from torch import Tensor, nn

from s2eval.errors import UsageError
from s2train import losses
from s2train.training import models

if TYPE_CHECKING:
    from transformers import PreTrainedModel

POLICY, VALUE, REFERENCE = "policy", "value", "reference"
REWARD = "reward-"  # and the aspect
_HEAD = "score.weight"


@dataclass(frozen=True, slots=True)
class Answers:
    """Prompts and their answers as a model reads them: P columns of prompts, padded on their left, so that every answer
    begins in the same column; T columns of answers, padded on their right.

    Attributes:
        tokens: (B, P + T).
        mask: 1 where there is a token, (B, P + T).
        width: P.
    """

    tokens: Tensor
    mask: Tensor
    width: int

    @property
    def answers(self) -> Tensor:
        """Tokens of the answers, (B, T)."""
        return self.tokens[:, self.width :]

    @property
    def present(self) -> Tensor:
        """1 where the answers have a token, (B, T), fp32."""
        return self.mask[:, self.width :].float()

    @property
    def before(self) -> Tensor:
        """The columns whose outputs are about the answers' tokens, (T,): each one place before its token."""
        return torch.arange(self.width - 1, self.tokens.shape[1] - 1, device=self.tokens.device)

    def __getitem__(self, rows: Tensor) -> Answers:
        """Some of them, without the columns that none of them uses."""
        tokens, mask = self.tokens[rows], self.mask[rows]
        used = mask.any(0).nonzero()[:, 0]
        first = min(int(used[0]), self.width - 1)
        last = max(int(used[-1]) + 1, self.width + 1)
        return Answers(tokens[:, first:last], mask[:, first:last], self.width - first)

    def to(self, device: torch.device) -> Answers:
        return Answers(self.tokens.to(device), self.mask.to(device), self.width)


@dataclass(frozen=True, slots=True)
class Stored:
    """An adapter as PEFT stores it; its name is for messages."""

    config: LoraConfig
    tensors: Mapping[str, Tensor]
    name: str


class Roles(nn.Module):
    """All models of PPO in the memory of one.

    Everything goes through `forward(role, …)`, so that what wraps the module (DDP, FSDP, DeepSpeed) sees it. Roles are
    switched without PEFT's `set_adapter`, which would change what is trained.

    `base` is a loaded causal language model, quantised or not, and changed in place. `policy` is the adapter to begin
    with, of which a frozen copy is the reference, or the configuration of a new one, and the base is the reference.
    `value` is the configuration of the value's adapter; its head begins at zero. `rewards` are reward models by aspect:
    adapters with a score head. `padding` is what they were padded with in training: as in transformers, a score is read
    at the last token that is another one, so where a tokenizer pads with its end-of-text, before it.

    Raises:
        UsageError: an adapter that does not fit, tensor by tensor.
    """

    def __init__(
        self,
        base: PreTrainedModel,
        policy: Stored | PeftConfig,
        value: PeftConfig,
        rewards: Mapping[str, Stored],
        padding: int,
    ) -> None:
        super().__init__()
        self.padding = padding
        self.copied = isinstance(policy, Stored)
        start = policy.config if isinstance(policy, Stored) else policy
        _check_linears_only(start, policy.name if isinstance(policy, Stored) else "policy")
        self.model: Any = get_peft_model(base, start, adapter_name=POLICY)
        if isinstance(policy, Stored):
            models.fill(self.model, policy.tensors, POLICY, policy.name)
            self.model.add_adapter(REFERENCE, policy.config)
            models.fill(self.model, policy.tensors, REFERENCE, policy.name)
        self.model.add_adapter(VALUE, value)
        self.heads = nn.ModuleDict()
        for aspect, stored in rewards.items():
            name, head, lora = REWARD + aspect, head_of(stored), lora_of(stored)
            self.model.add_adapter(name, lora.config)
            models.fill(self.model, lora.tensors, name, lora.name)
            self.heads[name] = head.to(self.model.device)
        self.causal: PreTrainedModel = self.model.get_base_model()
        width = self.causal.config.get_text_config().hidden_size
        head = nn.Linear(width, 1, device=self.causal.device)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        self.heads[VALUE] = head
        self._layers = [module for module in self.modules() if isinstance(module, BaseTunerLayer)]
        # policy and value are trained in fp32 and without dropout: their ratios are of the very same function
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(any(f".{role}." in f".{name}" for role in (POLICY, VALUE)))
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0

    def load(self, role: str, tensors: Mapping[str, Tensor]) -> None:
        """Load the tensors of a role's adapter, as `adapter` returned them."""
        models.fill(self.model, tensors, role, role)

    @property
    def aspects(self) -> list[str]:
        """Names of the rewards."""
        return [name.removeprefix(REWARD) for name in self.heads if name.startswith(REWARD)]

    def checkpoint(self) -> None:
        """Compute layers again for their gradients instead of keeping what is in them; the role must act until then."""
        self.causal.activation_checkpointing_enable({"use_reentrant": False})

    @contextmanager
    def acting(self, role: str) -> Iterator[PreTrainedModel]:
        """The causal language model in that role; afterwards the adapters are as they were."""
        with acting(self._layers, None if role == REFERENCE and not self.copied else role):
            yield self.causal

    def forward(self, role: str, batch: Answers, temperature: float = 1.0) -> Tensor:
        """A role's outputs for the answers, in fp32.

        Of policy and reference log-probabilities of the answers' tokens, (B, T); of the value its expectation at each
        of them, (B, T); of a reward the score of the answer, (B,).
        """
        batch = batch.to(self.causal.device)
        inputs = {
            "input_ids": batch.tokens,
            "attention_mask": batch.mask,
            "position_ids": (batch.mask.cumsum(-1) - 1).clamp(min=0),
            "use_cache": False,
        }
        with self.acting(role) as causal:
            if role in (POLICY, REFERENCE):
                logits = causal(**inputs, logits_to_keep=batch.before).logits
                return losses.log_probabilities(logits if temperature == 1 else logits / temperature, batch.answers)
            trunk = getattr(causal, causal.base_model_prefix)
            hidden = trunk(**inputs).last_hidden_state
        head = self.heads[role]
        assert isinstance(head, nn.Linear)
        if role == VALUE:
            return head(hidden[:, batch.width - 1 : -1].to(head.weight.dtype))[..., 0].float()
        read = last_tokens(hidden, batch.tokens, batch.mask, self.padding)
        return head(read.to(head.weight.dtype))[:, 0].float()

    def adapter(self, role: str) -> dict[str, Tensor]:
        """The tensors of a role's adapter as PEFT stores them."""
        return get_peft_model_state_dict(self.model, adapter_name=role, save_embedding_layers=False)


def read(folder: Path) -> Stored:
    """An adapter's folder; UsageError if it is no LoRA adapter."""
    config = PeftConfig.from_pretrained(str(folder))
    if not isinstance(config, LoraConfig):
        raise UsageError(f"adapter {folder}: its peft_type is {config.peft_type}; here only LORA can be trained")
    return Stored(config, models.stored(folder), str(folder))


@contextmanager
def acting(layers: Sequence[BaseTunerLayer], adapter: str | None) -> Iterator[None]:
    """That adapter alone, or none; then as before. PEFT's `set_adapter` would change what is trained."""
    before = [(layer._active_adapter, layer._disable_adapters) for layer in layers]
    for layer in layers:
        layer._disable_adapters = adapter is None
        if adapter is not None:
            layer._active_adapter = [adapter]
    try:
        yield
    finally:
        for layer, (active, disabled) in zip(layers, before, strict=True):
            layer._active_adapter, layer._disable_adapters = active, disabled


def head_of(stored: Stored) -> nn.Linear:
    """A reward model's head, frozen, fp32; UsageError if it has none of one row."""
    heads = [tensor for key, tensor in stored.tensors.items() if key.endswith(_HEAD)]
    if len(heads) != 1 or heads[0].shape[0] != 1:
        raise UsageError(
            f"reward model {stored.name}: its adapter has no score head of one row: s2train reward makes it"
        )
    head = nn.Linear(heads[0].shape[1], 1, bias=False)
    head.weight.data.copy_(heads[0])
    return head.requires_grad_(False)


def lora_of(stored: Stored) -> Stored:
    """A reward model's adapter without its head, for a causal language model."""
    config = deepcopy(stored.config)
    config.task_type, config.modules_to_save = "CAUSAL_LM", None
    _check_linears_only(config, stored.name)
    tensors = {key: tensor for key, tensor in stored.tensors.items() if not key.endswith(_HEAD)}
    return Stored(config, tensors, stored.name)


def last_tokens(hidden: Tensor, tokens: Tensor, mask: Tensor, padding: int) -> Tensor:
    """Where transformers reads a score: the last layer, (B, D), at each row's last token that is no padding."""
    columns = torch.arange(hidden.shape[1], device=hidden.device)
    last = (mask * (tokens != padding) * columns).argmax(-1)
    return hidden[torch.arange(len(last), device=hidden.device), last]


def _check_linears_only(config: PeftConfig, name: str) -> None:
    """Raise UsageError where an adapter would change more than its layers, and so every other role."""
    for key in ("modules_to_save", "trainable_token_indices", "target_parameters", "layer_replication"):
        if getattr(config, key, None):
            raise UsageError(
                f"adapter {name}: {key} is set: it changes what other roles share; use LoRA on linears only"
            )
    bias = getattr(config, "bias", "none")
    if bias != "none":
        raise UsageError(f"adapter {name}: bias is {bias!r}, so it changes what other roles share")
