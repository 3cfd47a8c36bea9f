"""Answers sampled from the policy as evaluation samples: its template, its stop texts, its batched generator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from s2eval import control_tokens, prompts, store
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.models import EMBEDDED, ModelSpec, identity
from s2eval.models import parse as parse_model
from s2eval.prompts import Template
from s2eval.reasoning import opens_reasoning, split
from s2train import checkpoint
from s2train.data.preferences import turns_of
from s2train.label.bases import BaseCheckpoint, Bases, context
from s2train.label.ledger import AnswerLine
from s2train.training.preparation import check_same_base
from s2train.training.rows import Tokenizer
from s2train.weights import location, shards


@dataclass(frozen=True, slots=True)
class Sampling:
    """How answers are sampled.

    Attributes:
        temperature: above 0.
        top_p, top_k: limits of what is sampled from; 1 and 0: none.
        max_tokens: of an answer.
        seed: random numbers depend on it, on the prompt, and on which of its answers it is, and on nothing else.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_tokens: int = 128
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """The model that answers.

    Attributes:
        name: without this machine's folders.
        identity: 16 hex digits over its files.
        base_checkpoint: what it is, or what its adapter stands on.
        fingerprint: of the base's weights; None where they are no safetensors.
        template: how a question becomes a prompt.
        context: tokens of a prompt with its answer.
    """

    spec: ModelSpec
    name: str
    identity: str
    base_checkpoint: BaseCheckpoint
    fingerprint: str | None
    template: Template
    tokenizer: Tokenizer
    context: int

    def key(self, how: Sampling) -> str:
        """16 hex digits over all that an answer depends on beside its prompt and number."""
        from s2eval.models.backend.hf import best_device

        content = {"policy": self.identity, "template": self.template.hash, "device": best_device(), **asdict(how)}
        quantization = self.base_checkpoint.quantization
        return store.key_of(content | {"quantization": quantization and quantization.model_dump()})

    def length(self, prompt: str) -> int:
        """Tokens of a question in the template."""
        return len(control_tokens.encode(self.tokenizer, [self.template.render(turns_of(prompt))])[0])


def policy(text: str, template: str | None = None) -> Policy:
    """A MODEL that can be sampled from; nothing is loaded but its tokenizer.

    Raises:
        UsageError, PrerequisiteError: there is no such model, or it cannot be sampled from here.
    """
    from transformers import AutoTokenizer

    spec = parse_model(text)
    if spec.engine != "s2":
        raise UsageError(f"policy {text}: answers are sampled here by the backend s2: leave {spec.engine}: out")
    base = location.of_model(spec.pretrained)
    weights = any(base.folder.glob("*.safetensors"))
    fingerprint = shards.fingerprint(shards.find(base.folder)) if weights else None
    quantization, name = None, text if text in EMBEDDED else base.name
    if spec.peft:
        adapter = location.of_adapter(spec.peft)
        about, name = checkpoint.read(adapter.folder), adapter.name
        quantization = about.quantization if about else None
        if fingerprint:
            check_same_base(adapter, base.name, fingerprint)
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(base.folder)
    except (OSError, ValueError, KeyError) as error:
        raise PrerequisiteError(f"policy {text}: {' '.join(str(error).split())[:300]}") from error
    return Policy(
        spec, name, identity(spec), BaseCheckpoint(base.folder, quantization), fingerprint,
        prompts.resolve(template, spec.checkpoint, tokenizer), tokenizer, context(base.folder),
    )  # fmt: skip


def sample(bases: Bases, policy: Policy, how: Sampling, prompts: Sequence[tuple[str, int]]) -> Iterator[AnswerLine]:
    """Answers to prompts, each with the number of its answer, as they end.

    Architectures and generation settings that the batched generator does not know go through transformers' own loop;
    then an answer depends on those that are sampled before it, too.
    """
    import torch
    from lm_eval.api.instance import Instance

    from s2eval.models.backend import decoding
    from s2eval.models.trie import support

    if not prompts:
        return
    lm: Any = bases.backend(policy.base_checkpoint, policy.spec.peft)
    options = {"do_sample": True, "temperature": how.temperature, "top_p": how.top_p, "top_k": how.top_k}
    settings = {"until": list(policy.template.stop), "max_gen_toks": how.max_tokens, **options}
    loop = isinstance(decoding.read(lm.model, options), str) or support.refusal(lm.model, policy.context)
    # transformers' loop reports of each prompt, not of each answer, whether it was cut: one answer a prompt at a time
    numbers = sorted({number for _, number in prompts}) if loop else [None]
    sampling = policy.key(how)
    for only in numbers:
        torch.manual_seed(how.seed if only is None else how.seed + 1_000_003 * only)
        part = [answer for answer in prompts if only is None or answer[1] == only]
        requests = [
            Instance("generate_until", {}, (policy.template.render(turns_of(prompt)), dict(settings)), place)
            for place, (prompt, _) in enumerate(part)
        ]
        for place, text in lm.stream(requests, disable_tqdm=True, repeats=[number for _, number in part]):
            rendered = requests[place].args[0]
            parts = split(text.strip(), opened=opens_reasoning(rendered))
            prompt, number = part[place]
            yield AnswerLine(
                prompt=prompt,
                number=number,
                sampling=sampling,
                answer=parts.answer,
                ended=parts.closed and not lm.cut.get(rendered, False),
                reasoning=parts.reasoning,
            )
