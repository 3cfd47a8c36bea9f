"""`s2eval run --dry-run`: what it counts is what a run then does, what it estimates is stated as arithmetic."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors
import torch
import transformers
import yaml
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from transformers import AutoConfig, AutoModelForCausalLM

from s2eval import config as configuration
from s2eval.files.integrity import sealed
from s2eval.models.cost import arithmetic, memory
from s2eval.models.cost.arithmetic import Counts, Passes, alone
from s2eval.models.cost.meta_model import MetaModel
from s2eval.models.s2 import S2LM
from s2eval.run import estimate, forecast, plan
from s2eval.run.estimate import Estimate, requests_of
from s2eval.run.plan import Unit
from s2eval.run.settings import parse_models
from tests.models.architectures import make
from tests.models.trained import KINDS, train
from tests.run.runs import TASKS, Command, Outcome, write

VOCABULARY, HIDDEN, INNER, LAYERS, HEADS = 1000, 64, 128, 2, 2  # of the tiny model
LINEAR = LAYERS * (4 * HIDDEN * HIDDEN + 3 * HIDDEN * INNER)
PARAMETERS = 2 * VOCABULARY * HIDDEN + LINEAR + (2 * LAYERS + 1) * HIDDEN  # embeddings and head apart, norms


def planned(path: Path, run: Path) -> tuple[configuration.RunConfig, list[Unit]]:
    settings = configuration.load(path)
    return settings, plan.plan(settings, parse_models(settings, path), run)


def estimates(path: Path, run: Path) -> list[Estimate]:
    settings, units = planned(path, run)
    return list(estimate.estimate(units, units, settings))


def config(path: Path, *models: Any, tasks: tuple[str, ...] = TASKS, **settings: Any) -> Path:
    return write(path, models=list(models), tasks=list(tasks), **{"limit": 2, "metrics": ["readability"], **settings})


def work(run: Path, task: str, model: str = "tiny") -> dict[str, Any]:
    """What the run did for a unit."""
    return json.loads((run / model / task / "unit.json").read_text(encoding="utf-8"))["work"]


@pytest.fixture
def weightless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every reading of weights fail; names, types and shapes of a file may be read."""
    open_file, load, load_model = safetensors.safe_open, torch.load, transformers.PreTrainedModel.from_pretrained

    class Heads:
        def __init__(self, *arguments: Any, **options: Any) -> None:
            self._file = open_file(*arguments, **options)

        def __enter__(self) -> Heads:
            self._open = self._file.__enter__()
            return self

        def __exit__(self, *_: Any) -> None:
            self._file.__exit__(None, None, None)

        def __getattr__(self, name: str) -> Any:
            assert name in ("keys", "get_slice", "metadata"), "weights are read"
            return getattr(self._open, name)

    def meta(_: Any, name: Any, **options: Any) -> Any:
        assert name is None, "weights are read"
        return load_model.__func__(_, name, **options)

    def heads(*arguments: Any, **options: Any) -> Any:
        assert options.get("map_location") == "meta", "weights are read"
        return load(*arguments, **options)

    monkeypatch.setattr("transformers.PreTrainedModel.from_pretrained", classmethod(meta))
    monkeypatch.setattr("safetensors.safe_open", Heads)
    monkeypatch.setattr("torch.load", heads)


# --- tokens ----------------------------------------------------------------------------------------------------


def test_the_tokens_of_a_dry_run_are_those_of_the_run(
    small: Path, tmp_path: Path, undisturbed: tuple[Path, Outcome]
) -> None:
    """The same requests, encoded and cut in the same way, the same prefixes shared."""
    found = estimates(small, tmp_path / "run")
    assert [one.unit.task.task_name for one in found] == list(TASKS)
    for one in found:
        done, counts = work(undisturbed[0], one.unit.task.task_name), one.counts
        assert counts.requests == done["requests"]
        assert counts.truncated == done["truncated"] == 0
        assert counts.read.tokens == done["computed"]
        assert not counts.fallbacks
        if counts.written.tokens:
            assert counts.written.tokens == 2 * 256 >= done["generated"]  # documents × limit of an answer
            assert counts.read.rows == 2  # the last token of each prompt
        else:
            assert (counts.naive, counts.read.tokens) == (done["naive"], done["unique"])
            assert counts.naive > counts.read.tokens


def test_a_short_context_cuts_the_same_requests(tiny_model: Path, tmp_path: Path, s2eval: Command) -> None:
    model = {"model": str(tiny_model), "args": {"max_length": 300}}
    path = config(tmp_path / "c.yaml", model, tasks=("s2demo_arc_challenge", "s2demo_eli5"))
    likelihoods, answers = estimates(path, tmp_path / "run")
    code, _, said = s2eval("run", path, "--out", tmp_path / "run")
    assert code == 0, said
    done = work(tmp_path / "run", "s2demo_arc_challenge")
    number = likelihoods.counts.truncated
    assert number == likelihoods.counts.requests == done["truncated"] == 8
    assert (likelihoods.counts.naive, likelihoods.counts.read.tokens) == (done["naive"], done["unique"])
    assert likelihoods.counts.naive == 8 * 300  # all of them fill the context
    assert answers.counts.truncated == work(tmp_path / "run", "s2demo_eli5")["truncated"]
    # and the run says it, on the console and in its report
    assert "tiny/s2demo_arc_challenge: done in" in said
    assert "; 8 of 8 requests longer than the context, cut from the left" in said
    report = (tmp_path / "run" / "report.md").read_text(encoding="utf-8")
    assert f"{8 + answers.counts.truncated} of 10 requests longer than the context, cut from the left" in report


def test_what_the_trie_refuses_is_counted_as_hf_computes_it(
    tiny_model: Path, tmp_path: Path, s2eval: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Falcon: every request by itself, but those that read the same (choices of one token) are computed once."""
    falcon = tmp_path / "falcon"
    make("falcon", VOCABULARY).save_pretrained(falcon)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (falcon / name).write_bytes((tiny_model / name).read_bytes())
    path = config(tmp_path / "c.yaml", str(falcon), tasks=("s2demo_mmlu", "s2demo_eli5"), batch_size=1)
    letters, answers = (one.counts for one in estimates(path, tmp_path / "run"))
    assert list(letters.fallbacks.values()) == [letters.requests] == [8]
    assert answers.read.tokens == answers.naive
    _, out, _ = s2eval("run", path, "--out", tmp_path / "run", "--dry-run")
    why = "through hf's path: the attention of FalconForCausalLM cannot be replaced"
    assert f"falcon/s2demo_eli5: 2 of 2 requests {why}." in " ".join(out.split())

    lengths: list[int] = []
    call = HFLM._model_call

    def spy(self: Any, inputs: Any, *arguments: Any, **options: Any) -> Any:
        lengths.append(inputs.numel())
        return call(self, inputs, *arguments, **options)

    monkeypatch.setattr(HFLM, "_model_call", spy)
    code, _, said = s2eval("run", path, "--out", tmp_path / "run", "--only", "s2demo_mmlu")
    assert code == 0, said
    assert letters.read.tokens == letters.read.rows == sum(lengths) < letters.naive
    assert f"; 8 of 8 requests {why}" in said


def test_equal_tokenizers_are_counted_once(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []
    count = MetaModel.count

    def spy(self: Any, requests: Any, *arguments: Any) -> Counts:
        counted.append(requests[0].task_name)
        return count(self, requests, *arguments)

    monkeypatch.setattr(MetaModel, "count", spy)
    models = [{"model": str(tiny_model), "name": name, **more} for name, more in (("a", {}), ("b", {"seed": 3}))]
    longer = {"model": str(tiny_model), "name": "c", "args": {"max_length": 300}}
    found = estimates(config(tmp_path / "c.yaml", *models, longer, tasks=("s2demo_mmlu",)), tmp_path / "run")
    assert counted == ["s2demo_mmlu"] * 2  # of a and b together, and of c
    assert found[0].counts == found[1].counts != found[2].counts


def test_the_task_stays_as_it_was(small: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, units = planned(small, tmp_path / "run")
    capfd.readouterr()
    for unit in units:
        before = {name: id(value) for name, value in vars(unit.task).items()}
        assert len(requests_of(unit.task, 2)) == unit.requests
        assert {name: id(value) for name, value in vars(unit.task).items()} == before
    assert capfd.readouterr() == ("", "")  # no progress bar


# --- time ------------------------------------------------------------------------------------------------------


def test_the_arithmetic_of_a_model(tiny_model: Path) -> None:
    shape = arithmetic.shape(MetaModel(str(tiny_model), device="cpu").model)
    assert shape == arithmetic.Shape(LINEAR, LAYERS, HIDDEN, HIDDEN, INNER, VOCABULARY)
    # a sequence of 3 tokens sees 1 + 2 + 3 = 6 pairs; the head is needed at the last
    wanted = 2 * LINEAR * 3 + 4 * HIDDEN * 6 * LAYERS + 2 * HIDDEN * VOCABULARY * 1
    assert alone([3], everywhere=False) == Passes(tokens=3, pairs=6, rows=1)
    assert shape.flops(Passes(tokens=3, pairs=6, rows=1)) == wanted


def test_the_comparison_with_hf_is_counted_too(tiny_model: Path) -> None:
    """The first and the last choice of the first document, on hf's path with the head everywhere."""
    lm: Any = S2LM(str(tiny_model), device="cpu")
    asked = [
        Instance("loglikelihood", {}, (f"Question {document} is why", f" {choice}"), 0, ("task", document, 1))
        for document in range(3)
        for choice in ("water", "w", "wat")
    ]
    lengths = [len(lm.tok_encode(" ".join(("Question 0 is why", choice)))) - 1 for choice in ("water", "wat")]
    found = MetaModel(str(tiny_model), device="cpu").count(asked).checks
    assert (found.tokens, found.rows) == (sum(lengths), sum(lengths))
    assert found.pairs == sum(length * (length + 1) // 2 for length in lengths)


@pytest.mark.parametrize("name", ["smollm2", "gpt2", "opt", "qwen3"])
def test_matrices_are_counted_without_embeddings_and_head(name: str) -> None:
    """As far as the architecture has them as linear layers, the sum over those; tied weights or not."""
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    model = make(name, VOCABULARY)
    head = model.get_output_embeddings()
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | Conv1D) and m is not head]
    assert arithmetic.shape(model).linear == sum(layer.weight.numel() for layer in layers)


def test_experts_count_as_they_are_used() -> None:
    from transformers import MixtralConfig

    settings: dict[str, Any] = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 100}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2, "num_local_experts": 8, "num_experts_per_tok": 2}
    model = AutoModelForCausalLM.from_config(MixtralConfig(**settings, **heads))
    attention, router, expert = 4 * 16 * 16, 8 * 16, 3 * 16 * 32
    assert arithmetic.shape(model).linear == attention + router + 2 * expert


def test_the_time_is_arithmetic_over_rate(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "rate", lambda *_: 1e3)  # FLOPs a second
    monkeypatch.setattr("time.perf_counter", lambda: 0.0)  # nor does encoding take time
    path = config(tmp_path / "c.yaml", str(tiny_model), tasks=("s2demo_mmlu", "s2demo_eli5"))
    shape = arithmetic.Shape(LINEAR, LAYERS, HIDDEN, HIDDEN, INNER, VOCABULARY)
    reads, answers = estimates(path, tmp_path / "run")
    read = [shape.flops(one.counts.read + one.counts.checks) / 1e3 / arithmetic.READING for one in (reads, answers)]
    written = shape.flops(answers.counts.written) / 1e3 / arithmetic.WRITING
    assert reads.seconds == pytest.approx(read[0])
    assert answers.seconds == pytest.approx(read[1] + written)


def test_units_that_are_done_show_how_fast_it_goes(small: Path, copied: Path, s2eval: Command) -> None:
    """Seconds over tokens of the same model and kind, instead of arithmetic over a rate."""
    settings, units = planned(small, copied)
    first, others = units[0], units[1:4]
    path = first.folder / "unit.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    changed = facts | {"seconds": 50.0, "work": facts["work"] | {"computed": 100}}
    path.write_text(json.dumps(sealed(changed)), encoding="utf-8")
    for unit in units[1:]:
        (unit.folder / "unit.json").unlink()
    found = {one.unit.name: one for one in estimate.estimate(units, units[1:], settings)}
    for unit in others:
        assert found[unit.name].paced
        assert found[unit.name].seconds == pytest.approx(found[unit.name].counts.read.tokens * 0.5)  # 50 s / 100 tokens
    assert not found[units[4].name].paced  # answers: another kind
    _, out, _ = s2eval("run", small, "--out", copied, "--dry-run")
    assert "the tokens a second of the units that are done, for tiny" in " ".join(out.split())
    assert out.endswith(f"1 of 5 units done in {copied}\n")


# --- memory ----------------------------------------------------------------------------------------------------


def test_the_weights_are_parameters_times_bytes(tiny_model: Path) -> None:
    buffers = HIDDEN // HEADS // 2 * 4 * 2  # the rotary embedding's frequencies, and their originals
    meta_model = MetaModel(str(tiny_model), device="cpu")
    assert sum(weight.numel() for weight in meta_model.model.parameters()) == PARAMETERS
    assert meta_model.weights == PARAMETERS * 4 + buffers  # fp32
    assert MetaModel(str(tiny_model), device="cpu", dtype="bfloat16").weights == PARAMETERS * 2 + buffers
    assert all(weight.is_meta for weight in meta_model.model.parameters())


def test_quantised_layers_take_their_bits_and_scales(tiny_model: Path) -> None:
    model = MetaModel(str(tiny_model), device="cpu").model
    whole = memory.weights(model)
    assert memory.weights(model, 4) == whole - LINEAR * 4 + LINEAR // 2 + LINEAR // 16  # a fp32 scale for 64 weights
    assert memory.bits({"quant_method": "bitsandbytes", "load_in_4bit": True}, {}) == 4
    assert memory.bits({"quant_method": "gptq", "bits": 3}, {}) == 3
    assert memory.bits(None, {"load_in_8bit": True}) == 8
    assert memory.bits(None, {}) is None


def test_what_a_pass_holds_beside_the_weights(tiny_model: Path) -> None:
    of = memory.sizes(AutoConfig.from_pretrained(tiny_model), torch.float32)
    assert of == memory.Sizes(
        token=4 * (16 * HIDDEN + 4 * INNER), row=VOCABULARY * (4 + 4), keys=2 * LAYERS * HIDDEN * 4
    )
    meta_model = MetaModel(str(tiny_model), device="cpu", token_budget=64)
    by_hf = Counts(requests=8, naive=800, read=Passes(800, 0, 800), longest=110, fallbacks={"why": 8})
    held = meta_model.fits(by_hf, batch=4).memory - meta_model.weights
    assert held == 4 * 110 * (of.token + of.row * 3 // 2 + of.keys)  # logits of the whole batch
    # the first document is compared with hf's path, one request at a time: that is more than 64 tokens of the trie
    likelihoods = Counts(requests=8, naive=800, read=Passes(300, 0, 40), longest=110)
    held = meta_model.fits(likelihoods, batch=8).memory - meta_model.weights
    compared = 110 * (of.token + of.row * 3 // 2 + of.keys)
    assert held == compared > 64 * of.token + 40 * of.row + 110 * of.keys
    # as the first answer is, beside the keys of all eight that are decoded together
    answers = Counts(requests=8, naive=80, read=Passes(60, 0, 8), written=Passes(2048), longest=110)
    held = meta_model.fits(answers, batch=8).memory - meta_model.weights
    assert held == compared + 60 * of.token + 8 * of.row + 8 * 110 * of.keys


@pytest.mark.parametrize("kind", ["lora", "dora", "modules_to_save: both", "ia3", "prompt"])
@pytest.mark.usefixtures("weightless")
def test_an_adapter_is_counted_without_its_weights(kind: str, tiny_model: Path, adapters: Path) -> None:
    expected = json.loads((adapters / "parameters.json").read_text(encoding="utf-8"))[kind]
    meta_model = MetaModel(str(tiny_model), device="cpu", peft=str(adapters / kind))
    assert sum(weight.numel() for weight in meta_model.model.parameters()) == expected
    assert meta_model.weights - MetaModel(str(tiny_model), device="cpu").weights == 4 * (expected - PARAMETERS)


@pytest.fixture(scope="module")
def adapters(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Adapters of the tiny model, and how many parameters it has with each."""
    out = tmp_path_factory.mktemp("adapters")
    sizes = {
        kind: sum(weight.numel() for weight in train(tiny_model, KINDS[kind](), out / kind).parameters())
        for kind in ("lora", "dora", "modules_to_save: both", "ia3", "prompt")
    }
    (out / "parameters.json").write_text(json.dumps(sizes), encoding="utf-8")
    return out


# --- the command -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("weightless")
def test_the_table(small: Path, tmp_path: Path, adapters: Path, s2eval: Command, loads: list[str]) -> None:
    settings = yaml.safe_load(small.read_text(encoding="utf-8"))
    settings["models"].append({"model": f"adapter:{adapters / 'lora'}", "name": "adapted"})
    run = tmp_path / "run"
    code, out, said = s2eval("run", write(tmp_path / "c.yaml", **settings), "--out", run, "--dry-run")
    assert code == 0, said
    assert loads == []
    assert not run.exists()
    header, rule, *rows = out.splitlines()[:13]
    assert header.split()[:4] == ["model", "task", "documents", "requests"]
    assert header.split()[-3:] == ["tokens", "time", "memory"]
    assert set(rule) == {"-", " "}
    assert [tuple(row.split()[:2]) for row in rows[:-1]] == [(m, t) for m in ("tiny", "adapted") for t in TASKS]
    assert rows[3].split()[2:4] == ["2", "10"]  # documents and requests of TruthfulQA
    assert "≤ 512" in rows[4]
    assert rows[-1].split()[0] == "total"
    assert "≤ 1.0 k" in rows[-1]
    assert out.endswith(f"\n0 of 10 units done in {run}\n")


def test_what_is_done_takes_nothing(small: Path, copied: Path, s2eval: Command) -> None:
    assert s2eval("run", small, "--out", copied, "--dry-run")[1] == f"5 of 5 units done in {copied}\n"
    out = s2eval("run", small, "--out", copied, "--dry-run", "--fresh", "--only", "s2demo_mmlu")[1]
    assert [line.split()[0] for line in out.splitlines()[2:4]] == ["tiny", "total"]  # as if it were not


def test_human_units() -> None:
    assert [forecast.quantity(n) for n in (0, 815, 999, 1000, 12_345, 99_949, 240_000, 1_234_567, 5e12)] == [
        *("0", "815", "999", "1.0 k", "12.3 k", "99.9 k", "240 k", "1.2 M", "5.0 T")
    ]
    assert [forecast.size(n) for n in (12, 539_123_456, 1_400_000_000)] == ["1.0 kB", "539 MB", "1.4 GB"]
