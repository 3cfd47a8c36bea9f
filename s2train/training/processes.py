"""The processes that train together: how many there must be, what the first does for all, what all agree on.

`torchrun` and `accelerate launch` start them; the environment of each holds its number.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from s2eval.errors import PrerequisiteError

if TYPE_CHECKING:
    from transformers import TrainingArguments

T = TypeVar("T")
_LAUNCH = "torchrun --nproc_per_node 2 -m s2train …"


def count(environment: Mapping[str, str] = os.environ) -> int:
    """How many were started."""
    return int(environment.get("WORLD_SIZE") or 1)


def rank(environment: Mapping[str, str] = os.environ) -> int:
    """Number of this one, from 0."""
    return int(environment.get("RANK") or 0)


def is_first() -> bool:
    """Whether this is the one that prints and writes."""
    return rank() == 0


def hush() -> None:
    """Let only the first process write to standard output; any may write errors."""
    if not is_first():
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  open as long as the process


def check_launched(environment: Mapping[str, str] = os.environ) -> None:
    """Raise PrerequisiteError where the environment names several processes and this one would train alone.

    `accelerate launch --cpu --num_processes 2` starts one process and no error; what it leaves in the environment is
    an address to meet at, and no number of processes.
    """
    alone = "WORLD_SIZE" not in environment
    if alone and "MASTER_ADDR" in environment and "ACCELERATE_USE_CPU" in environment:
        raise PrerequisiteError(
            "accelerate launch was asked for several processes on CPUs, and started one: it would train on a smaller "
            f"batch than you asked for. Use {_LAUNCH}, or a configuration like examples/accelerate/"
            "cpu-two-processes.yaml"
        )
    if count(environment) > 1 and not {"RANK", "LOCAL_RANK"} <= environment.keys():
        raise PrerequisiteError(
            f"WORLD_SIZE is {count(environment)}, but RANK or LOCAL_RANK is not set, so this process would train "
            f"alone or wait for ever. Start it by {_LAUNCH}, or unset WORLD_SIZE"
        )


def check_seen(seen: int) -> None:
    """Raise PrerequisiteError unless accelerate sees as many processes as were started."""
    if seen != count():
        raise PrerequisiteError(
            f"{count()} processes were started (WORLD_SIZE), accelerate sees {seen}: every one would train "
            f"alone. Start them by {_LAUNCH}"
        )


def fsdp(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether accelerate was told to use FSDP."""
    return environment.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


def check_fsdp_device(device: str) -> None:
    """Raise PrerequisiteError where accelerate would leave FSDP out without a word, each process with all weights."""
    if fsdp() and device == "cpu":
        raise PrerequisiteError(
            "FSDP was asked for, and accelerate has none on CPUs: every process would hold all weights. "
            "Use examples/accelerate/cpu-two-processes.yaml"
        )


def shards(arguments: TrainingArguments) -> bool:
    """Whether no process holds all weights: FSDP, or DeepSpeed's ZeRO-3."""
    if arguments.fsdp or fsdp():
        return True
    plugin = getattr(arguments, "deepspeed_plugin", None)
    return plugin is not None and plugin.zero_stage == 3


def agree(decide: Callable[[], T]) -> T:
    """The first process's decision, for which the others wait. Its errors end all of them."""
    if count() == 1:
        return decide()
    from accelerate.utils import broadcast_object_list

    decision = [decide() if is_first() else None]
    broadcast_object_list(decision)
    return decision[0]  # type: ignore[return-value]


def wait() -> None:
    """Until all are here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def part() -> None:
    """From here on this process needs no other one."""
    if count() > 1:
        import torch.distributed as distributed

        if distributed.is_initialized():
            distributed.destroy_process_group()
