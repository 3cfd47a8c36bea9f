"""What a model's folder holds beside weights: configuration, tokenizer, card and `s2train.json`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from s2eval import store
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.files import JsonObject
from s2eval.models.tokenizers import rows_needed
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Quantization
from s2train.merge.plan import Plan
from s2train.weights.shards import INDEX, SINGLE
from s2train.weights.tensors import FLOATS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from s2train.merge.job import Job

CARD = "README.md"
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
_TOKENIZER = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model", "*.tiktoken",
    "chat_template*", "spiece.model",
)  # fmt: skip
_OTHERS = ("generation_config.json", "LICENSE*", "NOTICE*", "USE_POLICY*")


def tokenizer_of(base: Path, adapters: Sequence[Path], rows: int) -> tuple[Path, tuple[str, ...]]:
    """The folder whose tokenizer the merged model gets: the first adapter's that has one, since training may have
    added tokens; else the base's. With notes on those that were passed over, since they have tokens without embeddings.

    Args:
        rows: of the merged model's embeddings.

    Raises:
        UsageError: a tokenizer has more tokens than that, and no other can replace it.
    """
    larger: list[tuple[Path, int]] = []
    adapted = [folder for folder in adapters if any((folder / name).is_file() for name in _VOCABULARIES)]
    for candidate in [*adapted, base]:
        tokenizer = _tokenizer(candidate)
        needed = rows_needed(tokenizer) if tokenizer is not None else 0
        if needed > rows:
            larger.append((candidate, needed))
        elif not larger or (tokenizer is not None and _same_template(tokenizer, _tokenizer(larger[0][0]))):
            return candidate, tuple(
                f"the tokenizer of {folder.name} has {count:,} tokens, the merged embeddings {rows:,} rows: the model "
                f"gets that of {candidate.name}"
                for folder, count in larger
            )
    folder, count = larger[0]
    raise UsageError(
        f"{folder.name}: its tokenizer has {count:,} tokens, the merged embeddings would have {rows:,} rows: tokens "
        "were added, and the embeddings neither resized nor saved. Train again with resized embeddings, or remove the "
        "tokenizer's files from that folder"
    )


def _same_template(tokenizer: PreTrainedTokenizerBase, other: PreTrainedTokenizerBase | None) -> bool:
    return other is not None and tokenizer.chat_template == other.chat_template


def _tokenizer(folder: Path) -> PreTrainedTokenizerBase | None:
    """None where a folder has none, or one that transformers cannot read."""
    from transformers import AutoTokenizer

    with suppress(Exception):  # OSError, ValueError, and of the library tokenizers a bare Exception
        return AutoTokenizer.from_pretrained(folder)


def template(base: Path, adapters: Sequence[Path], tokenizer: Path) -> str:
    """The template to evaluate with: as training recorded it, else s2eval's default for such a tokenizer."""
    for folder in (*adapters, base):
        if trained := checkpoint.read(folder):
            return trained.template
    path = tokenizer / "tokenizer_config.json"
    config = _json(path) if path.is_file() else {}
    return "chat" if config.get("chat_template") or any(tokenizer.glob("chat_template*")) else "s2"


def dtype(base: Path) -> object:
    """What the base's `config.json` says that transformers should load it in."""
    config = _json(base / "config.json")
    return config.get("dtype") or config.get("torch_dtype")


def write(job: Job, folder: Path, merged: Checkpoint) -> None:
    """Everything but the weights; `config.json`, without which no library takes a folder for a model, comes last."""
    base, plan = job.base.folder, job.plan
    with store.explain_os_errors(folder):
        for source, patterns in ((job.tokenizer, _TOKENIZER), (base, _OTHERS)):
            for path in sorted(path for pattern in patterns for path in source.glob(pattern) if path.is_file()):
                shutil.copyfile(path, folder / path.name)
        if set(plan.files) != {SINGLE}:
            weight_map = {step.entry.name: name for name, steps in plan.files.items() for step in steps}
            total = sum(step.entry.size for step in plan.steps())
            store.write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
        checkpoint.write(folder, merged)
        (folder / CARD).write_text(_card(job, merged), encoding="utf-8")
        config = configuration(_json(base / "config.json"), plan, job.architecture, job.tokenizer)
        store.write_json(folder / "config.json", config)


def configuration(base: Mapping[str, object], plan: Plan, architecture: str, tokenizer: Path) -> dict[str, object]:
    """The base's `config.json` with what merging changes."""
    config = {key: value for key, value in base.items() if key not in ("quantization_config", "_name_or_path")}
    config["architectures"] = [architecture]
    for key, value in plan.changes.items():
        if key == "num_labels":
            config["id2label"] = {str(label): f"LABEL_{label}" for label in range(value)}
            config["label2id"] = {f"LABEL_{label}": label for label in range(value)}
        else:
            nested = config.get("text_config")
            part = nested if isinstance(nested, dict) and key in nested else config
            part[key] = value
    dtypes = {step.entry.dtype for step in plan.steps()} & FLOATS.keys()
    if len(dtypes) == 1:
        config |= dict.fromkeys({"dtype", "torch_dtype"} & config.keys(), FLOATS[dtypes.pop()])
    if architecture.endswith("ForSequenceClassification") and config.get("pad_token_id") is None:
        loaded = _tokenizer(tokenizer)  # a classifier looks for the last token that is no padding
        config["pad_token_id"] = None if loaded is None else loaded.pad_token_id
    return config


def _card(job: Job, merged: Checkpoint) -> str:
    """The model's card, to read and to publish."""
    plan, method, base = job.plan, job.method, merged.base
    assert base is not None
    steps = plan.steps()
    changed = sum(step.changed for step in steps)
    published = f"base_model: {base.name}\n" if "/" in base.name else ""
    sources = [("base", base), *((f"adapter, weight {adapter.weight:g}", adapter) for adapter in merged.adapters)]
    how = merged.quantization or Quantization()
    words = f"{how.type.upper()} (blocks of {how.blocksize}{', double quantisation' if how.double else ''})"
    described = method.card.format(quantized=sum(step.quantised for step in steps), how=words)
    packages = ", ".join(f"{name} {number}" for name, number in merged.versions.items())
    parts = [
        f"---\n{published}library_name: transformers\ntags:\n- merged-adapter\n---",
        f"# {' + '.join(source.name for _, source in sources)}",
        "An adapter merged into its base by `s2train merge`. "
        f"{changed} of {len(steps)} tensors differ from the base's; all {plan.used} tensors of the adapter went in.",
        "| | name | sha256 |\n|---|---|---|"
        + "".join(f"\n| {label} | {source.name} | `{source.sha256}` |" for label, source in sources),
        f"Method `{method.name}`: {described}",
        *([f"{', '.join(plan.untied)} was tied in the base and has a tensor of its own here."] if plan.untied else []),
        f"Prompt template: `{merged.template}`. Made with {packages}.",
    ]
    return "\n\n".join(parts) + "\n"


def _json(path: Path) -> JsonObject:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise PrerequisiteError(f"{path}: cannot be read: {error}") from error
