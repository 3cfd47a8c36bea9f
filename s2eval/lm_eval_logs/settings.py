"""The model and the settings that a results file of lm-eval records."""

from __future__ import annotations

import hashlib
import json
import re

from s2eval.files import Json, JsonObject

_NAMED_BY = ("peft", "delta", "pretrained", "model", "path", "engine")  # in lm-eval's order
_NOT_ALLOWED = re.compile(r"[\"<>:/|\\?*\[\]]+")
_SECRET = re.compile(
    r"^token$|credential|password|secret|(^|_)(api|access|auth)_?(key|token)$|^hf_token$", re.IGNORECASE
)
_LONGEST = 40  # characters of a value in a name
_URL = re.compile(r"\w+://(?:[^/@\s]*@)?([^/?#\s]*)\S*")  # the server alone is shown: the rest may hold a password
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")

# Where and how fast a model runs: this does not determine a result.
_EXECUTION = frozenset(
    (
        *("batch_size", "max_batch_size", "max_num_seqs", "num_concurrent", "max_retries", "timeout"),
        *("device", "device_map", "device_map_option", "gpus", "parallelize", "use_accelerate", "swap_space"),
        *("data_parallel_size", "pipeline_parallel_size", "tensor_parallel_size", "gpu_memory_utilization"),
        *("low_cpu_mem_usage", "max_cpu_memory", "max_memory_per_gpu", "offload_folder"),
        *("cache_dir", "trust_remote_code"),
    )
)
_BACKENDS = {"huggingface": "hf", "hf-auto": "hf"}
_SEEDS = {"random_seed": 0, "numpy_seed": 1234, "torch_seed": 1234, "fewshot_seed": 1234}
_DEFINITION = (
    *("dataset_path", "dataset_name", "test_split", "validation_split", "fewshot_split"),
    *("doc_to_text", "doc_to_target", "doc_to_choice", "description"),
    *("target_delimiter", "fewshot_delimiter", "filter_list", "repeats"),
)


def model_name(content: JsonObject) -> str:
    """lm-eval's name for the folder of the model; "" where the file names none."""
    sanitized = content.get("model_name_sanitized")
    return str(sanitized) if sanitized else _NOT_ALLOWED.sub("__", _full_name(content))


def samples_prefix(content: JsonObject) -> str:
    """What the names of sample files began with before lm-eval 0.4.3: the arguments of the model."""
    arguments = _section(content, "config").get("model_args")
    return _NOT_ALLOWED.sub("__", arguments) if isinstance(arguments, str) else ""


def settings_of(content: JsonObject) -> dict[str, str]:
    """Of a results file: setting → how a name shows it; defaults are left out."""
    config = _section(content, "config")
    arguments = _arguments(config.get("model_args"))
    backend = str(config.get("model") or content.get("model_source") or "")
    name = _full_name(content)
    base = str(arguments.get("pretrained") or "")  # below an adapter, which names the folder
    recorded_revision = str(config.get("model_revision") or "main")
    revision = str(arguments.get("revision") or recorded_revision)
    requested_dtype = str(arguments.get("dtype") or "auto").removeprefix("torch.")
    dtype = str(config.get("model_dtype") or requested_dtype).removeprefix("torch.")
    settings = {
        "model": name,
        "base": f"on {base}" if base and base != name else "",
        "revision": "" if revision == "main" else revision,
        "recorded revision": ""
        if recorded_revision in ("main", revision)
        else f"recorded revision {recorded_revision}",
        "commit": _hashed("commit", config.get("model_sha")),
        "adapter commit": _hashed("adapter commit", config.get("peft_sha") or config.get("delta_sha")),
        "dtype": "" if dtype == "auto" else dtype,
        "given dtype": "" if requested_dtype in ("auto", dtype) else f"dtype={requested_dtype}",
        "backend": _BACKENDS.get(backend, backend),
    }
    shown_above = {argument for argument in _NAMED_BY if arguments.get(argument) == name}
    shown_above |= {"dtype", "revision", "pretrained"}
    for argument in sorted(arguments.keys() - _EXECUTION - shown_above):
        if not _SECRET.search(argument):
            settings[argument] = _assigned(argument, arguments[argument])
    generation = _arguments(config.get("gen_kwargs"))
    limit = limit_of(content)
    settings |= {
        "chat template": _hashed("chat template", content.get("chat_template_sha") or content.get("chat_template")),
        "system prompt": _hashed(
            "system prompt", content.get("system_instruction_sha") or content.get("system_instruction")
        ),
        "shots as turns": "shots as turns" if content.get("fewshot_as_multiturn") else "",
        "generation": ", ".join(_assigned(argument, generation[argument]) for argument in sorted(generation)),
        "limit": "" if limit is None else f"limit {_text(limit)}",
    }
    for seed, default in _SEEDS.items():
        if config.get(seed) not in (None, default):
            settings[seed] = f"{seed}={config[seed]}"
    return {setting: shown for setting, shown in settings.items() if shown}


def task_settings_of(content: JsonObject, task: str) -> dict[str, str]:
    """Of one of its tasks, likewise."""
    config = _section(content.get("configs"), task)
    shots, version, documents = shots_of(content, task), version_of(content, task), documents_of(content, task)
    settings = {
        "shots": "" if shots is None else f"{_text(shots)} shot{'' if shots == 1 else 's'}",
        "version": "" if version is None else f"version {_text(version)}",
    }
    if config.get("num_fewshot") not in (None, shots):
        settings["configured shots"] = f"num_fewshot={config['num_fewshot']}"
    for name, value in _section(config, "generation_kwargs").items():
        settings[f"generation {name}"] = _assigned(name, value)
    for name in _DEFINITION:
        if config.get(name) not in (None, ""):
            settings[name] = _hashed(name, _ADDRESS.sub("", _text(config[name])))
    settings["documents"] = "" if documents is None else f"{documents} documents"
    return {setting: shown for setting, shown in settings.items() if shown}


def shots_of(content: JsonObject, task: str) -> Json:
    """How many shots the task had; None where the file does not say."""
    known = _section(content, "n-shot")
    if task in known:
        return known[task]
    return _section(content.get("configs"), task).get("num_fewshot", _section(content, "config").get("num_fewshot"))


def version_of(content: JsonObject, task: str) -> Json:
    """The task's version; None where the file does not say."""
    return _section(content, "versions").get(task)


def limit_of(content: JsonObject) -> Json:
    """`--limit`; None where there was none."""
    return _section(content, "config").get("limit")


def documents_of(content: JsonObject, task: str) -> int | None:
    """How many documents of the task were evaluated; None where the file does not say."""
    number = _section(content.get("n-samples"), task).get("effective")
    return number if isinstance(number, int) else None


def text_of(value: object) -> str:
    """A setting as conditions and notes show it; "" where it is not known."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _section(content: Json, name: str) -> JsonObject:
    value = content.get(name) if isinstance(content, dict) else None
    return value if isinstance(value, dict) else {}


def _full_name(content: JsonObject) -> str:
    if content.get("model_name"):
        return str(content["model_name"])
    arguments = _arguments(_section(content, "config").get("model_args"))
    return next((str(arguments[name]) for name in _NAMED_BY if arguments.get(name)), "")


def _arguments(written: Json) -> JsonObject:
    """`a=1,b=2` or an object; a comma within a value (`{"x": 1, "y": 2}`) belongs to it."""
    if isinstance(written, dict):
        return written
    arguments: dict[str, str] = {}
    last = ""
    for part in written.split(",") if isinstance(written, str) else ():
        name, equals, value = part.partition("=")
        if equals and re.fullmatch(r"\s*\w+\s*", name):
            last = name.strip()
            arguments[last] = value.strip()
        elif last:
            arguments[last] += f",{part}"
    return {**arguments}


def _assigned(name: str, value: Json) -> str:
    """`name=value`; of a long value the hash."""
    text = _text(value)
    return f"{name}={text}" if len(text) <= _LONGEST else _hashed(name, text)


def _text(value: Json) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return _URL.sub(r"\1", value)
    return json.dumps(value, sort_keys=True) if isinstance(value, dict | list) else str(value)


def _hashed(name: str, value: Json) -> str:
    """`commit 1a2b3c4d`: the beginning of a hash, or of the hash of a text."""
    if not value:
        return ""
    text = str(value)
    known = re.fullmatch(r"[0-9a-f]{6,64}", text)
    return f"{name} {text[:8] if known else hashlib.sha256(text.encode()).hexdigest()[:8]}"
