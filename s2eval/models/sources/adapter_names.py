"""Names of an adapter's tensors as PEFT stores them, where a wrapper around the model left more in them.

`model.save_pretrained` stores `base_model.model.…q_proj.lora_A.weight`. `torch.save(model.state_dict())` has PEFT's own
name of the adapter in it (`lora_A.default.weight`), and before or within it what torch.compile (`_orig_mod.`), DDP
and DeepSpeed (`module.`), FSDP and activation checkpointing put there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")  # no module of a model is called so
_OUTER = re.compile(r"^((?:module\.)+)(?=base_model\.)|^base_model\.((?:model\.)?(?:module\.)+)")
_DEFAULT = (
    (re.compile(r"\.(lora_A|lora_B)\.default\.(weight|bias)$"), r".\1.\2"),
    (re.compile(r"\.(lora_embedding_A|lora_embedding_B|lora_magnitude_vector)\.default(?:\.weight)?$"), r".\1"),
    (re.compile(r"\.modules_to_save\.default\.((?:.*\.)?(?:weight|bias))$"), r".\1"),
)


def plain_names(names: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Each name → the one that PEFT stores; and what was taken out of them, empty for an ordinary adapter.

    Where two tensors would get one name, all keep those that they have.

    >>> plain_names(["_orig_mod.base_model.model.q_proj.lora_A.default.weight"])[1]
    ('_orig_mod.', '.default.')
    """
    removed: dict[str, None] = {}
    plain: dict[str, str] = {}
    for name in names:
        parts = name.split(".")
        removed |= dict.fromkeys(f"{part}." for part in parts if part in _WRAPPERS)
        unwrapped = ".".join(part for part in parts if part not in _WRAPPERS)
        outer = _OUTER.sub(lambda match: "" if match[1] else "base_model.model.", unwrapped)
        if outer != unwrapped:
            removed["module."] = None
        plain[name] = outer
        for pattern, rest in _DEFAULT:
            plain[name] = pattern.sub(rest, plain[name])
        if plain[name] != outer:
            removed[".default."] = None
    if len(set(plain.values())) < len(plain):
        return {name: name for name in plain}, ()
    return plain, tuple(removed)


def left_by_wrapper(label: str, removed: Iterable[str]) -> str:
    """The warning that names were read without what a wrapper left."""
    parts = ", ".join(map(repr, removed))
    return f"{label}: its tensors' names hold {parts}, left by a wrapper around the model; they are read without"
