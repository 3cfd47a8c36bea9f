"""What a results file of lm-eval says of its model and of the settings that determined its numbers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, cast

_NAMED_BY = ("peft", "delta", "pretrained", "model", "path", "engine")  # in lm-eval's order
_NOT_ALLOWED = re.compile(r"[\"<>:/|\\?*\[\]]+")
_SECRET = re.compile(
    r"^token$|credential|password|secret|(^|_)(api|access|auth)_?(key|token)$|^hf_token$", re.IGNORECASE
)
_LONGEST = 40  # characters of a value in a name
_URL = re.compile(r"\w+://(?:[^/@\s]*@)?([^/?#\s]*)\S*")  # the server alone is shown: the rest may hold a password
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

# Where and how fast a model runs: this does not determine a result.
_EXECUTION = {
    "batch_size",
    "cache_dir",
    "data_parallel_size",
    "device",
    "device_map",
    "device_map_option",
    "gpu_memory_utilization",
    "gpus",
    "low_cpu_mem_usage",
    "max_batch_size",
    "max_cpu_memory",
    "max_memory_per_gpu",
    "max_num_seqs",
    "max_retries",
    "num_concurrent",
    "offload_folder",
    "parallelize",
    "pipeline_parallel_size",
    "swap_space",
    "tensor_parallel_size",
    "timeout",
    "trust_remote_code",
    "use_accelerate",
}
_SHOWN_APART = {"dtype", "revision"}
_BACKENDS = {"huggingface": "hf", "hf-auto": "hf"}
_SEEDS = {"random_seed": 0, "numpy_seed": 1234, "torch_seed": 1234, "fewshot_seed": 1234}
_DEFINITION = (
    "dataset_path",
    "dataset_name",
    "test_split",
    "validation_split",
    "fewshot_split",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "filter_list",
    "repeats",
)

Content = Mapping[str, Any]


def model_name(content: Content) -> str:
    """lm-eval's name for the folder of the model; "" where the file names none."""
    sanitized = content.get("model_name_sanitized")
    return str(sanitized) if sanitized else _NOT_ALLOWED.sub("__", _full_name(content))


def samples_prefix(content: Content) -> str:
    """What the names of sample files began with before lm-eval 0.4.3: the arguments of the model."""
    arguments = _config(content).get("model_args")
    return _NOT_ALLOWED.sub("__", arguments) if isinstance(arguments, str) else ""


def settings_of(content: Content) -> dict[str, str]:
    """Of a whole results file: setting → how a name shows it; defaults are left out."""
    config = _config(content)
    arguments = _arguments(config.get("model_args"))
    backend = str(config.get("model") or content.get("model_source") or "")
    name = _full_name(content)
    settings = {
        "model": name,
        "base": _base(arguments, name),
        **_revision(arguments, config),
        "commit": _hashed("commit", config.get("model_sha")),
        "adapter commit": _hashed("adapter commit", config.get("peft_sha") or config.get("delta_sha")),
        **_dtype(arguments, config),
        "backend": _BACKENDS.get(backend, backend),
    }
    named = {argument for argument in _NAMED_BY if arguments.get(argument) == name}
    for argument in sorted(arguments.keys() - _EXECUTION - _SHOWN_APART - named - {"pretrained"}):
        if not _SECRET.search(argument):
            settings[argument] = _assigned(argument, arguments[argument])
    settings |= {
        "chat template": _hashed("chat template", content.get("chat_template_sha") or content.get("chat_template")),
        "system prompt": _hashed(
            "system prompt", content.get("system_instruction_sha") or content.get("system_instruction")
        ),
        "shots as turns": "shots as turns" if content.get("fewshot_as_multiturn") else "",
        "generation": _generation(config.get("gen_kwargs")),
        "limit": "" if limit_of(content) is None else f"limit {_text(limit_of(content))}",
    }
    for seed, default in _SEEDS.items():
        if config.get(seed) not in (None, default):
            settings[seed] = f"{seed}={config[seed]}"
    return {setting: shown for setting, shown in settings.items() if shown}


def _revision(arguments: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """As it was asked for, and as it was recorded where that is another one."""
    recorded = str(config.get("model_revision") or "main")
    revision = str(arguments.get("revision") or recorded)
    return {
        "revision": "" if revision == "main" else revision,
        "recorded revision": "" if recorded in ("main", revision) else f"recorded revision {recorded}",
    }


def _dtype(arguments: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """As it was recorded, and as it was asked for where that is another one."""
    given = str(arguments.get("dtype") or "auto").removeprefix("torch.")
    dtype = str(config.get("model_dtype") or given).removeprefix("torch.")
    return {
        "dtype": "" if dtype == "auto" else dtype,
        "given dtype": "" if given in ("auto", dtype) else f"dtype={given}",
    }


def task_settings_of(content: Content, task: str) -> dict[str, str]:
    """Of one of its tasks, likewise."""
    config = _of(content.get("configs"), task)
    shots = shots_of(content, task)
    documents = documents_of(content, task)
    settings = {
        "shots": "" if shots is None else f"{_text(shots)} shot{'' if shots == 1 else 's'}",
        "version": f"version {_text(version)}" if (version := version_of(content, task)) is not None else "",
    }
    if config.get("num_fewshot") not in (None, shots):
        settings["configured shots"] = f"num_fewshot={config['num_fewshot']}"
    for name, value in _of(config, "generation_kwargs").items():
        settings[f"generation {name}"] = _assigned(name, value)
    for name in _DEFINITION:
        if config.get(name) not in (None, ""):
            settings[name] = _hashed(name, _ADDRESS.sub("", _text(config[name])))
    settings["documents"] = "" if documents is None else f"{documents} documents"
    return {setting: shown for setting, shown in settings.items() if shown}


def shots_of(content: Content, task: str) -> Any:
    """How many shots the task had; None where the file does not say."""
    known = content.get("n-shot")
    if isinstance(known, dict) and task in known:
        return cast("dict[str, Any]", known)[task]
    config = _of(content.get("configs"), task)
    return config.get("num_fewshot", _config(content).get("num_fewshot"))


def version_of(content: Content, task: str) -> Any:
    """The task's version; None where the file does not say."""
    versions = content.get("versions")
    return cast("dict[str, Any]", versions).get(task) if isinstance(versions, dict) else None


def limit_of(content: Content) -> Any:
    """`--limit`; None where there was none."""
    return _config(content).get("limit")


def documents_of(content: Content, task: str) -> int | None:
    """How many documents of the task were evaluated; None where the file does not say."""
    number = _of(content.get("n-samples"), task).get("effective")
    return number if isinstance(number, int) else None


def _config(content: Content) -> Mapping[str, Any]:
    return _of(content, "config")


def _of(content: Any, name: str) -> Mapping[str, Any]:
    value: Any = cast("Content", content).get(name) if isinstance(content, dict) else None
    return cast("Content", value) if isinstance(value, dict) else {}


def _full_name(content: Content) -> str:
    if content.get("model_name"):
        return str(content["model_name"])
    arguments = _arguments(_config(content).get("model_args"))
    return next((str(arguments[name]) for name in _NAMED_BY if arguments.get(name)), "")


def _base(arguments: Mapping[str, Any], name: str) -> str:
    """The model below an adapter, which names the folder."""
    pretrained = str(arguments.get("pretrained") or "")
    return f"on {pretrained}" if pretrained and pretrained != name else ""


def _arguments(given: Any) -> Mapping[str, Any]:
    """`a=1,b=2` or an object; a comma within a value (`{"x": 1, "y": 2}`) belongs to it."""
    if isinstance(given, dict):
        return cast("Content", given)
    arguments: dict[str, str] = {}
    last = ""
    for piece in given.split(",") if isinstance(given, str) else ():
        name, equals, value = piece.partition("=")
        if equals and re.fullmatch(r"\s*\w+\s*", name):
            last = name.strip()
            arguments[last] = value.strip()
        elif last:
            arguments[last] += f",{piece}"
    return arguments


def _generation(given: Any) -> str:
    arguments = _arguments(given)
    return ", ".join(_assigned(name, arguments[name]) for name in sorted(arguments))


def _assigned(name: str, value: Any) -> str:
    """`name=value`; of a long value the hash."""
    text = _text(value)
    return f"{name}={text}" if len(text) <= _LONGEST else _hashed(name, text)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return _URL.sub(r"\1", value)
    return str(value) if isinstance(value, bool | int) or value is None else json.dumps(value, sort_keys=True)


def _hashed(name: str, value: Any) -> str:
    """`commit 1a2b3c4d`: the beginning of a hash, or of the hash of a text."""
    if not value:
        return ""
    text = str(value)
    known = re.fullmatch(r"[0-9a-f]{6,64}", text)
    return f"{name} {text[:8] if known else hashlib.sha256(text.encode()).hexdigest()[:8]}"
