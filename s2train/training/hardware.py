"""What this machine computes in: the type of weights and of products, by its device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from s2train.checkpoint import Dtype
from s2train.training import processes


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device, the type of the base's weights, and that of products (mixed precision where the two differ)."""

    device: str
    dtype: Dtype
    compute: Dtype

    @property
    def checkpointing(self) -> bool:
        """Whether activations are computed twice to save memory, by default: what accelerators are short of."""
        return self.device != "cpu"


def find() -> tuple[str, bool]:
    """The device that training uses here (cuda, mps, xpu or cpu), and whether it has bf16 units.

    Raises:
        PrerequisiteError: several processes were started, and this one stands alone.
    """
    import torch

    processes.check_launched()

    if torch.cuda.is_available():
        return "cuda", torch.cuda.is_bf16_supported(including_emulation=False)
    if hasattr(torch, "xpu") and torch.xpu.is_available():
        return "xpu", True
    return ("mps", False) if torch.backends.mps.is_available() else ("cpu", False)


def choose(dtype: Literal["auto"] | Dtype, method: str, device: str, bf16: bool) -> Hardware:
    """The types: fp32 on CPUs and Apple's, where bf16 is emulated or slow; else bf16, or fp16 on older accelerators.

    All weights in training keep 32 bits, whatever they are multiplied in: updates are smaller than bf16 can add.
    `dtype` and `method` are those of `model:`, `device` and `bf16` of `find`.
    """
    compute: Dtype = "float32" if device in ("cpu", "mps") else "bfloat16" if bf16 else "float16"
    if dtype != "auto":
        return Hardware(device, dtype, dtype if dtype != "float32" else compute)
    return Hardware(device, "float32" if method == "full" else compute, compute)
