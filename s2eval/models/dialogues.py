"""A model loaded here that answers calls as one behind an API does, in wide batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from s2eval import chat_arguments, prompts
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.llm.calls import Call, Done, Message, Reply
from s2eval.models import tokenizers
from s2eval.models.content import identity
from s2eval.models.kinds import parse
from s2eval.models.model_kind import S2, Access, ModelService, ModelSpec
from s2eval.reasoning import opens_reasoning, split

CONTEXT_SHARE = 0.75  # of the context, that an answer may take at most: the rest is for the question


@dataclass(frozen=True, slots=True)
class LocalService:
    """Answers calls by a model on this machine (see `s2eval.llm.calls.Service`), loaded at the first call. `service`
    is its name in calls: the hashes of the model and the template, so that either makes other calls."""

    spec: ModelSpec
    template: prompts.Template
    service: str
    options: Mapping[str, object]

    def run(self, calls: Sequence[Call], done: Done) -> None:
        """Answer all calls; each goes to `done` as soon as it has ended. A prompt that does not fit into the context
        is cut from the left, as by lm-eval. Raises UsageError for a call with a schema."""
        if any(call.schema for call in calls):
            raise UsageError(f"{self.spec.text}: a model loaded here follows no JSON schema; leave --structured out")
        if not calls:
            return
        import torch
        from lm_eval.api.instance import Instance

        from s2eval.models import loaded

        lm = loaded.get(self.spec, self.options)
        for seed in dict.fromkeys(call.seed or 0 for call in calls):  # one after the other: PyTorch has one seed
            torch.manual_seed(seed)
            part = [call for call in calls if (call.seed or 0) == seed]
            prompts = [self.prompt(call.messages) for call in part]
            requests = [
                Instance("generate_until", {}, (prompt, self._settings(call, lm.max_length)), number)
                for number, (call, prompt) in enumerate(zip(part, prompts, strict=True))
            ]
            for number, text in lm.stream(requests, disable_tqdm=True, repeats=[call.repeat for call in part]):
                prompt = prompts[number]
                # lm-eval has taken the reasoning off where `think_end_token` is known
                answer = split(text.strip(), opened=opens_reasoning(prompt) and lm.think_end_token is None)
                ended = "stop" if answer.closed and not lm.cut.get(prompt, False) else "length"
                reasoning = answer.reasoning or lm.reasoning.get(prompt, "")
                done(part[number], Reply(answer.answer, ended, model=self.spec.text, reasoning=reasoning))

    def prompt(self, messages: Sequence[Message]) -> str:
        """The dialogue in the model's template; a system message goes before the first question."""
        preface = "".join(f"{message.content}\n\n" for message in messages if message.role == "system")
        rest = [message for message in messages if message.role != "system"]
        turns: list[prompts.Turn] = []
        for number in range(0, len(rest), 2):
            answer = rest[number + 1].content if number + 1 < len(rest) else None
            turns.append(prompts.Turn(("" if number else preface) + rest[number].content, answer))
        return self.template.render(turns)

    def _settings(self, call: Call, context: int) -> dict[str, object]:
        limit = min(call.max_tokens, int(CONTEXT_SHARE * context))
        sampled = {"temperature": call.temperature} if call.temperature > 0 else {}
        return {"until": list(call.stop), "max_gen_toks": limit, "do_sample": bool(sampled), **sampled}


def open_local(text: str, template: str | None = None, **options: Any) -> LocalService:
    """A MODEL of this machine as a service.

    Args:
        template: a template's name; by default what it was trained with, else the tokenizer's, else `s2`.
        options: arguments of the backend; those for the tokenizer and its chat template are used for the prompts too.
    """
    spec = parse(text)
    if spec.engine != S2:
        raise UsageError(f"{text} runs in tasks only: as a service the backend s2 would answer. Leave out its prefix")
    try:
        tokenizer = tokenizers.load(spec.pretrained, options)
    except (OSError, ValueError) as error:
        raise PrerequisiteError(f"model {spec.text}: its tokenizer cannot be loaded: {error}") from error
    chosen = prompts.resolve(template, spec.checkpoint, tokenizer, chat_arguments.collect(options))
    device = options.get("device")
    if not device:
        from s2eval.models.backend.hf import best_device

        device = best_device()
    # on a GPU `auto` is the checkpoint's own type, and the same type computes other digits
    place = "" if str(device).startswith("cpu") else ":accelerator"
    content = f"local:{identity(spec)}:{chosen.hash}{place}"
    arguments = {name: value for name, value in chat_arguments.without(options).items() if value is not None}
    return LocalService(spec, chosen, content + "".join(f":{k}={v}" for k, v in sorted(arguments.items())), arguments)


def local_service(text: str, access: Access) -> ModelService:
    """A MODEL of this machine, as the kinds with a server give theirs."""
    local = open_local(text, access.template, **access.local)
    template = f"{local.template.label} ({local.template.hash})"
    return ModelService(text, local.service, local, local.template.stop, template)
