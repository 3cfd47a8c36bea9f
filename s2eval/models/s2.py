"""The lm-eval backend `s2`: lm-eval's `hf` with defaults that fit this project.

What differs from `hf`: embedded models go by name (`pretrained=smollm2`, the default), `dtype=auto` means fp32
on a CPU (bf16 is 7–10 times slower there and not reproducible), and it knows which answers were cut.
"""

# lm-eval's register_model hides the class that it decorates from type checkers.
# pyright: reportCallIssue=false, reportAttributeAccessIssue=false

from __future__ import annotations

from typing import Any

import torch
from lm_eval.models.huggingface import HFLM

from s2eval.models.embedded import resolve


class S2LM(HFLM):
    """lm-eval's HFLM; takes every argument of it.

    Attributes:
        cut: prompt → whether its answer reached the limit of new tokens without ending by itself; filled by
            `generate_until`.
    """

    def __init__(self, pretrained: Any = "smollm2", **arguments: Any) -> None:
        if isinstance(pretrained, str):
            pretrained = str(resolve(pretrained))
        if arguments.get("device") is None:
            arguments["device"] = best_device()
        if arguments.get("dtype", "auto") == "auto" and str(arguments["device"]).startswith("cpu"):
            arguments["dtype"] = "float32"
        self.cut: dict[str, bool] = {}
        super().__init__(pretrained=pretrained, **arguments)

    def tok_batch_encode(self, strings: list[str], *args: Any, **kwargs: Any) -> Any:
        """HFLM's; remembers the prompts of the batch for `_model_generate`."""
        self._prompts = list(strings)
        return super().tok_batch_encode(strings, *args, **kwargs)

    def _model_generate(self, context: Any, max_length: int, stop: list[str], **generation_kwargs: Any) -> Any:
        tokens = super()._model_generate(context, max_length, stop, **generation_kwargs)
        ends = {self.eot_token_id, self.tokenizer.pad_token_id}
        for prompt, row in zip(self._prompts, tokens[:, context.shape[1] :].tolist(), strict=True):
            full = context.shape[1] + len(row) >= max_length and not ends & set(row)
            self.cut[prompt] = full and not any(mark in self.tok_decode(row) for mark in stop)
        return tokens


def best_device() -> str:
    """`cuda`, `mps` or `cpu`: the first that there is."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
