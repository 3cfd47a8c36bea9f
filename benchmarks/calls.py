"""How fast the client for OpenAI-compatible servers asks, beside what could be and beside a plain thread pool.

A server in another process answers each call after a second. 480 calls with 32 in flight can take 15 s at best. Ours
starts with half as many in flight; the pool's 32 threads share the SDK's synchronous client, and ask 32 at once from
the beginning. Wall time from the first call to the last reply, CPU time of this process in it; imports before.

    python -m benchmarks.calls
"""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.metadata import version
from statistics import median

from benchmarks import record
from benchmarks.record import Row
from s2eval.llm.calls import Call, Message, Outcome, Reply
from s2eval.llm.client import OpenAIService

QUESTION = (
    "Rate the answer.\n\n" + "An answer of a model, which a judge reads. " * 50
)  # about the size of a judge's prompt
REPLY = {
    "object": "chat.completion",
    "model": "judge",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "[[8]]"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 600, "completion_tokens": 3, "total_tokens": 603},
}


async def answer_late(latency: float) -> None:
    """Serve on a free port, which is printed, until killed."""
    content = json.dumps(REPLY).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                lines = (await reader.readuntil(b"\r\n\r\n")).lower().split(b"\r\n")
                size = next(line for line in lines if line.startswith(b"content-length:")).partition(b":")[2]
                await reader.readexactly(int(size))
                await asyncio.sleep(latency)
                writer.write(head + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


@contextmanager
def server(latency: float) -> Iterator[str]:
    """The base URL of a server in another process."""
    command = [sys.executable, "-m", "benchmarks.calls", "--serve", str(latency)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/v1"
    finally:
        process.kill()
        process.wait()


def ours(url: str, number: int, in_flight: int) -> int:
    """Ask with the client; how many replied."""
    messages = (Message("user", QUESTION),)
    calls = [Call("openai:judge", "judge", messages, temperature=0, max_tokens=64, repeat=n) for n in range(number)]
    ended: list[Outcome] = []
    OpenAIService(url, "none", max_in_flight=in_flight).run(calls, lambda _, outcome: ended.append(outcome))
    return sum(isinstance(outcome, Reply) for outcome in ended)


def pool(url: str, number: int, in_flight: int) -> int:
    """Ask with a plain thread pool; how many replied."""
    import openai

    def ask(_: int) -> bool:
        reply = client.chat.completions.create(
            model="judge", messages=[{"role": "user", "content": QUESTION}], temperature=0, max_tokens=64
        )
        return bool(reply.choices[0].message.content)

    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client, ThreadPoolExecutor(in_flight) as threads:
        return sum(threads.map(ask, range(number)))


def seconds(ask: Callable[[str, int, int], int], url: str, number: int, in_flight: int) -> tuple[float, float]:
    """Wall and CPU time of one run."""
    started, worked = time.perf_counter(), time.process_time()
    if (replied := ask(url, number, in_flight)) != number:
        raise SystemExit(f"{replied} of {number} calls were answered")
    return time.perf_counter() - started, time.process_time() - worked


def measure(number: int, in_flight: int, latency: float, rounds: int) -> list[Row]:
    """All rows of the table; medians of the rounds."""
    import openai

    ideal = math.ceil(number / in_flight) * latency
    with server(latency) as url:
        _ = openai.OpenAI(base_url=url, api_key="none").chat.completions  # the SDK imports its parts when they are used
        pairs = [[seconds(ask, url, number, in_flight) for ask in (ours, pool)] for _ in range(rounds)]
    (wall, cpu), (pool_wall, pool_cpu) = (
        [median(values) for values in zip(*each, strict=True)] for each in zip(*pairs, strict=True)
    )
    what = f"{number} calls, {in_flight} in flight, latency {latency:g} s"
    note = f"ideal {ideal:g} s; peer: {in_flight} threads with the SDK's synchronous client, no retries"
    return [
        Row(
            f"{what}: share of the ideal", 100 * ideal / wall, 100 * ideal / pool_wall, goal="≥ 90", unit="%", note=note
        ),
        Row(f"{what}: wall time", wall, pool_wall, pool_wall / wall, unit="s"),
        Row(f"{what}: CPU time", cpu, pool_cpu, pool_cpu / cpu, unit="CPU s"),
    ]


def main() -> None:
    """Measure, print the table, write it."""
    parser = record.arguments(__doc__)
    parser.add_argument("--calls", type=int, default=480)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--latency", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--serve", type=float, metavar="SECONDS", help="only answer calls, that late")
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(answer_late(options.serve))
        return
    facts = {name: getattr(options, name) for name in ("calls", "in_flight", "latency", "rounds")}
    facts["openai"] = version("openai")
    rows = measure(options.calls, options.in_flight, options.latency, options.rounds)
    record.write("Calls", rows, facts, options.out)


if __name__ == "__main__":
    main()
