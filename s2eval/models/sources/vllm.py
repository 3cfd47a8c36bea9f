"""`vllm:PATH or hub id`: a checkpoint in lm-eval's own backend for vLLM, for questions only."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from s2eval import control_tokens, paths
from s2eval.errors import PrerequisiteError
from s2eval.models.model_kind import ModelKind, ModelSpec
from s2eval.models.sources.checkpoint import check


def _spec(name: str, text: str) -> ModelSpec:
    if find_spec("vllm") is None:
        raise PrerequisiteError(f"model {text}: vLLM is not installed: {paths.install_command('vllm')}")
    return ModelSpec(text, check(name, text), engine=VLLM.name)


def _open(**arguments: object) -> object:
    lm = import_module("lm_eval.models.vllm_causallms").VLLM(**{**arguments, "batch_size": "auto"})
    control_tokens.stop_appending(lm.tokenizer)
    return lm


# for log-likelihoods it computes every shared prefix again
VLLM = ModelKind("vllm", "vllm:PATH or hub id", spec=_spec, backend=_open, likelihoods=False)
