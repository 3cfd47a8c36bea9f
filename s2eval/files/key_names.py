"""What other tools call a setting, so that an unknown key is answered with the right one."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

_LISTED = 25  # names that a message can hold
_CLOSE = 0.65  # difflib's ratio; `rank` and `dora` have 0.5

# Names for one thing; a section rarely has more than one of them.
_SAME = (
    ("r", "rank", "lora_r", "lora_rank", "dim"),
    ("alpha", "lora_alpha", "scaling"),
    ("dropout", "lora_dropout"),
    ("target_modules", "lora_target_modules", "targets", "modules"),
    ("dora", "use_dora"),
    ("rslora", "use_rslora"),
    ("learning_rate", "lr", "step_size"),
    ("value_learning_rate", "value_lr", "critic_lr"),
    ("num_train_epochs", "epochs", "num_epochs", "n_epochs", "train_epochs"),
    ("steps", "max_steps", "num_steps", "total_steps", "num_train_steps"),
    ("per_device_train_batch_size", "batch_size", "minibatch", "train_batch_size", "micro_batch_size", "bs", "batch"),
    ("per_device_eval_batch_size", "eval_batch_size", "val_batch_size"),
    ("gradient_accumulation_steps", "grad_accum", "grad_acc", "accumulation_steps", "accumulate"),
    ("max_length", "max_seq_length", "max_seq_len", "seq_len", "sequence_length", "context_length", "model_max_length"),
    ("max_new_tokens", "max_completion_length", "max_tokens", "max_gen_toks", "response_length"),
    ("warmup_steps", "warmup", "warmup_ratio", "num_warmup_steps"),
    ("lr_scheduler_type", "schedule", "scheduler", "lr_scheduler", "lr_schedule"),
    ("optim", "optimizer", "optimiser"),
    ("weight_decay", "wd"),
    ("max_grad_norm", "grad_clip", "gradient_clipping", "clip_grad"),
    ("beta", "kl", "kl_coef", "kl_beta", "init_kl_coef"),
    ("clip", "cliprange", "epsilon", "clip_range"),
    ("eval_strategy", "evaluation_strategy"),
    ("num_generations", "group_size", "k"),
    ("dtype", "torch_dtype", "precision"),
    ("attention", "attn_implementation", "flash_attention"),
    ("base", "base_model", "pretrained", "model_name", "model_name_or_path", "model_path", "model", "path"),
    ("adapter", "peft", "lora_path", "adapter_path"),
    ("template", "chat_template", "prompt_template"),
    ("out", "output_dir", "output", "out_dir", "save_dir"),
    ("dir", "data_dir", "folder"),
    ("set", "dataset", "subset", "dataset_name"),
    ("train", "train_file", "train_data", "train_dataset", "prompts"),
    ("validation", "eval_file", "val", "valid", "dev", "validation_file", "eval_dataset", "validation_prompts"),
    ("limit", "max_samples", "num_samples", "max_rows", "n"),
    ("models", "model_list"),
    ("tasks", "benchmarks", "evals"),
    ("judges", "judge"),
)


def suggestion(name: str, known: Sequence[str], elsewhere: Mapping[str, Sequence[str]] | None = None) -> str:
    """What to add to the message about an unknown key: the right one, else the keys of the section.

    `elsewhere`: other sections, by their dotted names, with their keys.
    """
    for section, keys in (("", known), *(elsewhere or {}).items()):
        if meant := same_key(name, keys):
            return f"; did you mean {f'{section}.{meant}'.lstrip('.')!r}?"
    if close := nearest_key(name, known):
        return f"; did you mean {close!r}?"
    if len(known) <= _LISTED:
        return f"; known: {', '.join(known)}"
    like = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
    return f"; closest of {len(known)}: {', '.join(like)}" if like else ""


def same_key(name: str, known: Sequence[str]) -> str | None:
    """The one of `known` that has this name, in other tools too.

    >>> same_key("rank", ["r", "alpha", "dora"]), same_key("lr", ["learning_rate"])
    ('r', 'learning_rate')
    """
    folded, key = {_fold(other): other for other in known}, _fold(name)
    if key in folded:
        return folded[key]
    same = next((names for names in _SAME if key in names), ())
    return next((folded[other] for other in same if other in folded), None)


def nearest_key(name: str, known: Sequence[str]) -> str | None:
    """The one of `known` that has this name or nearly its spelling, or has the name's words among its own.

    >>> nearest_key("metod", ["method", "base"]), nearest_key("eval_batch", ["seed", "per_device_eval_batch_size"])
    ('method', 'per_device_eval_batch_size')
    """
    if meant := same_key(name, known):
        return meant
    folded, key = {_fold(other): other for other in known}, _fold(name)
    if close := difflib.get_close_matches(key, list(folded), n=1, cutoff=_CLOSE):
        return folded[close[0]]
    words = set(key.split("_"))
    within = [other for other in folded if words <= set(other.split("_"))]
    return folded[min(within, key=len)] if within else None


def _fold(name: str) -> str:
    return name.casefold().lstrip("-").replace("-", "_")
