"""Pure steps on every engine: the same results in the same order, and a worker's end is told."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from s2eval.errors import PrerequisiteError, UsageError
from s2train.data.engine import AHEAD, Engine, Local, Ray, open_engine

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("engine", [Local(), Local(2), Local(3)])
def test_results_come_in_the_order_of_the_items(engine: Engine) -> None:
    assert list(engine.map(partial(pow, exp=3), range(50))) == [number**3 for number in range(50)]


def test_items_are_taken_as_they_are_worked_off() -> None:
    taken: list[int] = []

    def endless() -> Iterator[int]:
        for number in count(1):
            taken.append(number)
            yield number

    results = iter(Local(2).map(partial(pow, exp=1), endless()))
    assert [next(results), next(results)] == [1, 2]
    assert len(taken) == 2 + AHEAD * 2  # two given out, and what waits for two processes
    del results  # ends the processes


@pytest.mark.parametrize("engine", [Local(), Local(2)])
def test_an_error_comes_through(engine: Engine) -> None:
    with pytest.raises(ValueError, match="invalid literal for int"):
        list(engine.map(int, ["1", "x", "2"]))


def test_a_killed_worker_is_told() -> None:
    with pytest.raises(PrerequisiteError, match="a worker process was killed"):
        list(Local(2).map(os._exit, [1] * 20))


def test_names_and_numbers_are_checked() -> None:
    assert open_engine("local", 3) == Local(3)
    assert open_engine("ray", 1) == Ray(1)
    assert open_engine("local").processes == len(os.sched_getaffinity(0))
    with pytest.raises(UsageError, match="unknown engine 'spark'; there are local and ray"):
        open_engine("spark")
    with pytest.raises(UsageError, match="at least one process"):
        Local(0)


def test_two_ray_nodes_share_the_work_and_keep_the_order(tmp_path: Path) -> None:
    """Two nodes of a real cluster on this machine, one CPU each."""
    script = """
        import sys, time
        from functools import partial
        from pathlib import Path
        import ray
        from ray.cluster_utils import Cluster
        from s2eval.errors import DataError
        from s2train.data.engine import Ray

        def where(number, folder):
            node = ray.get_runtime_context().get_node_id()
            (folder / node).touch()
            for _ in range(1200):  # the first waits until the other node has begun, too
                if len(list(folder.iterdir())) == 2:
                    break
                time.sleep(0.1)
            return number, node

        def refuse(number):
            raise DataError(f"line {number}: broken")

        if __name__ == "__main__":
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
            cluster.add_node(num_cpus=1)
            engine = Ray(address=cluster.address)
            found = list(engine.map(partial(where, folder=Path(sys.argv[1])), range(24)))
            print([number for number, _ in found] == list(range(24)), len({node for _, node in found}))
            try:
                list(engine.map(refuse, [3]))
            except DataError as error:
                print(error)
            sys.stdout.flush()  # a driver whose cluster ends first is ended at once
            ray.shutdown()
            cluster.shutdown()
        """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=280,
    )
    assert done.stdout.splitlines() == ["True 2", "line 3: broken"], done.stderr
