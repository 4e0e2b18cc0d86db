"""A synthesis that is killed at random moments, again and again, ends with the bytes of an undisturbed one."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.synthesize.tiny import contents, make_toy

KILLS = 20
PAUSE_S = 0.03


def _kill_often(datasets: Path, folder: Path, state: str) -> None:
    """Folder n of `folder` gets a build that is killed after a random time; a third of them are killed twice."""
    os.environ["DBGAN_STATE"] = state
    moments = random.Random(20)
    for n in range(KILLS):
        for _ in range(1 + (n % 3 == 0)):
            child = os.fork()
            if child == 0:
                make_toy(datasets, folder / str(n), pause_s=PAUSE_S, variants=4)
                os._exit(0)
            time.sleep(moments.uniform(0.0, 1.0))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


@pytest.mark.slow
def test_killed_at_twenty_random_moments_and_resumed_gives_the_bytes_of_an_undisturbed_run(
    datasets: Path, tmp_path: Path
) -> None:
    make_toy(datasets, tmp_path / "undisturbed", variants=4)
    killed = tmp_path / "killed"
    killed.mkdir()
    # A fresh process without threads may fork; this one has those of pyarrow.
    nursery = multiprocessing.get_context("spawn").Process(
        target=_kill_often, args=(datasets, killed, os.environ["DBGAN_STATE"])
    )
    nursery.start()
    nursery.join()
    assert nursery.exitcode == 0
    progress = []
    for folder in sorted(killed.iterdir()):
        progress.append(len(list(folder.glob("*.tar"))))
        make_toy(datasets, folder, variants=4)
        assert contents(folder) == contents(tmp_path / "undisturbed"), f"folder {folder.name}"
    assert len(set(progress)) > 3, f"the kills met only these numbers of finished shards: {sorted(set(progress))}"
