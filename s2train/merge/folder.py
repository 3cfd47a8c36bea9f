"""What a model's folder holds beside weights: configuration, tokenizer, card and `s2train.json`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from s2eval import store
from s2eval.errors import PrerequisiteError, UsageError
from s2eval.models.tokenizers import rows_needed
from s2train import checkpoint
from s2train.checkpoint import Checkpoint, Quantization
from s2train.merge.methods import MergeMethod
from s2train.merge.plan import Plan
from s2train.weights.shards import INDEX, SINGLE
from s2train.weights.tensors import FLOATS

CARD = "README.md"
_TOKENIZER = (
    "tokenizer*", "special_tokens_map.json", "added_tokens.json", "vocab.*", "merges.txt", "*.model", "*.tiktoken",
    "chat_template*", "spiece.model",
)  # fmt: skip
_KEPT = ("generation_config.json", "LICENSE*", "NOTICE*", "USE_POLICY*")


def tokenizer_of(base: Path, adapters: Sequence[Path], rows: int) -> tuple[Path, tuple[str, ...]]:
    """The folder whose tokenizer the merged model gets: the first adapter's that has one, since training may have
    added tokens; else the base's. With notes on those that were passed over, since they have tokens without embeddings.

    Args:
        rows: of the merged model's embeddings.

    Raises:
        UsageError: a tokenizer has more tokens than that, and no other can take its place.
    """
    passed: list[str] = []
    larger: list[tuple[Path, int]] = []
    for candidate in [*filter(_has_tokenizer, adapters), base]:
        found = _tokenizer(candidate)
        needed = rows_needed(found) if found is not None else 0
        if needed > rows:
            larger.append((candidate, needed))
        elif not larger or (found is not None and _same_use(found, _tokenizer(larger[0][0]))):
            passed += [
                f"the tokenizer of {folder.name} has {count:,} tokens, the merged embeddings {rows:,} rows: the model "
                f"gets that of {candidate.name}"
                for folder, count in larger
            ]
            return candidate, tuple(passed)
    folder, count = larger[0]
    raise UsageError(
        f"{folder.name}: its tokenizer has {count:,} tokens, the merged embeddings would have {rows:,} rows: tokens "
        "were added, and the embeddings neither resized nor saved. Train again with resized embeddings, or remove the "
        "tokenizer's files from that folder"
    )


def _same_use(mine: Any, other: Any) -> bool:
    """Whether a tokenizer writes dialogues as the other does, which the model was trained with."""
    return mine.chat_template == other.chat_template


def _tokenizer(folder: Path) -> Any:
    """None where a folder has none, or one that transformers cannot read."""
    from transformers import AutoTokenizer

    with suppress(Exception):  # OSError, ValueError, and of the library tokenizers a bare Exception
        return AutoTokenizer.from_pretrained(folder)


def _has_tokenizer(folder: Path) -> bool:
    return any(
        (folder / name).is_file() for name in ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
    )


def template(base: Path, adapters: Sequence[Path], tokenizer: Path) -> str:
    """The template to evaluate with: what training wrote down, else what s2eval takes where nothing says it."""
    for one in (*adapters, base):
        if made := checkpoint.read(one):
            return made.template
    about = _json(tokenizer / "tokenizer_config.json") if (tokenizer / "tokenizer_config.json").is_file() else {}
    has_one = about.get("chat_template") or next(tokenizer.glob("chat_template*"), None)
    return "chat" if has_one else "s2"


def dtype(base: Path) -> str | None:
    """What the base's `config.json` says that transformers should load it in."""
    config = _json(base / "config.json")
    return config.get("dtype") or config.get("torch_dtype")


def write(
    folder: Path,
    base: Path,
    tokenizer: Path,
    plan: Plan,
    method: MergeMethod,
    made: Checkpoint,
    architecture: str,
) -> None:
    """Everything but the weights; `config.json`, without which no library takes a folder for a model, comes last."""
    with store.explain_os_errors(folder):
        for source, patterns in ((tokenizer, _TOKENIZER), (base, _KEPT)):
            for path in sorted(path for pattern in patterns for path in source.glob(pattern) if path.is_file()):
                shutil.copyfile(path, folder / path.name)
        if set(plan.files) != {SINGLE}:
            weight_map = {step.entry.name: name for name, steps in plan.files.items() for step in steps}
            total = sum(step.entry.size for step in plan.steps())
            store.write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": weight_map})
        checkpoint.write(folder, made)
        (folder / CARD).write_text(card(made, method, plan), encoding="utf-8")
        config = configuration(_json(base / "config.json"), plan, architecture, tokenizer)
        store.write_json(folder / "config.json", config)


def configuration(config: dict[str, Any], plan: Plan, architecture: str, tokenizer: Path) -> dict[str, Any]:
    """The base's `config.json` with what merging changes."""
    config = {key: value for key, value in config.items() if key not in ("quantization_config", "_name_or_path")}
    config["architectures"] = [architecture]
    for key, value in plan.changes.items():
        if key == "num_labels":
            config["id2label"] = {str(label): f"LABEL_{label}" for label in range(value)}
            config["label2id"] = {f"LABEL_{label}": label for label in range(value)}
        else:
            nested = [part for part in (config.get("text_config"),) if isinstance(part, dict) and key in part]
            for part in nested or [config]:
                part[key] = value
    dtypes = {step.entry.dtype for step in plan.steps()} & FLOATS.keys()
    for key in {"dtype", "torch_dtype"} & config.keys() if len(dtypes) == 1 else ():
        config[key] = FLOATS[next(iter(dtypes))]
    if architecture.endswith("ForSequenceClassification") and config.get("pad_token_id") is None:
        config["pad_token_id"] = _pad(tokenizer)
    return config


def _pad(tokenizer: Path) -> int | None:
    """A classifier looks for the last token that is no padding, so it must know which that is."""
    found = _tokenizer(tokenizer)
    return None if found is None else found.pad_token_id


def card(made: Checkpoint, method: MergeMethod, plan: Plan) -> str:
    """The model's card, to read and to publish."""
    assert made.base is not None
    steps = plan.steps()
    changed = sum(step.changed for step in steps)
    named = f"base_model: {made.base.name}\n" if "/" in made.base.name else ""
    lines = [
        f"---\n{named}library_name: transformers\ntags:\n- merged-adapter\n---",
        f"# {' + '.join([made.base.name, *(one.name for one in made.adapters)])}",
        "An adapter merged into its base by `s2train merge`. "
        f"{changed} of {len(steps)} tensors differ from the base's; all {plan.used} tensors of the adapter went in.",
        "| | name | sha256 |\n|---|---|---|",
    ]
    rows = [("base", made.base), *((f"adapter, weight {one.weight:g}", one) for one in made.adapters)]
    lines[-1] += "".join(f"\n| {what} | {one.name} | `{one.sha256}` |" for what, one in rows)
    how = made.quantization or Quantization()
    words = f"{how.type.upper()} (blocks of {how.blocksize}{', double quantisation' if how.double else ''})"
    told = method.card.format(quantized=sum(step.quantised for step in steps), how=words)
    lines.append(f"Method `{method.name}`: {told}")
    if plan.untied:
        lines.append(f"{', '.join(plan.untied)} was tied in the base and has a tensor of its own here.")
    packages = ", ".join(f"{name} {number}" for name, number in made.versions.items())
    lines.append(f"Prompt template: `{made.template}`. Made with {packages}.")
    return "\n\n".join(lines) + "\n"


def _json(path: Path) -> dict[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return dict(found)
    except (OSError, ValueError, TypeError) as error:
        raise PrerequisiteError(f"{path}: cannot be read: {error}") from error
