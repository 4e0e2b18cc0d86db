"""Two workers compute the gradients of one: processes of their own, gloo, against the whole batch in this process."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from dbgan.params import AdversarialParams, BganParams, DbganCommon, FinetuneParams, PretrainParams, TrainingParams
from dbgan.train import bgan as bgan_module
from dbgan.train import dbgan as dbgan_module
from dbgan.train.batches import Batches, Crop
from dbgan.train.bgan import BganTask, match_colour
from dbgan.train.dbgan import DbganTask
from dbgan.train.loop import Task
from dbgan.train.numerics import Numerics
from dbgan.train.optimise import NotFiniteError, update
from dbgan.train.team import ALONE, Team, Workers
from tests.train.conftest import NETWORKS, TRAINING
from tests.train.processes import context

SIZE = 2
STEPS = 3
ADVERSARIAL = {"alpha": 1.0, "beta": 0.5, "schedule": {"steps": STEPS, "lr": 1e-4}, "discriminator_lr": 1e-4}
CASES = (
    *("l1", "classical", "relativistic", "clipped", "mixed", "l1 device", "bgan", "bgan with noise", "bgan device"),
    *(("mixed stream", "l1 stream", "bgan stream") if find_spec("webdataset") else ()),
    "naive",
)
Said = dict[str, Any]


class Naive(Workers):
    """Whose E[.] is over its own samples: what wrapping the networks in DistributedDataParallel would give."""

    def gather(self, own: Tensor) -> Tensor:
        return own


def build(case: str, team: Team, common: DbganCommon, bgan: BganParams, datasets: Path) -> Task:
    numerics = Numerics("cpu", bf16=False, threads=1, team=team)
    loading: Said = {
        "stream": {"loader": "stream", "cache": "none", "shuffle_buffer": 4},
        "device": {"cache": "device"},
    }
    changes = loading.get(case.split()[-1], {}) | ({"clip_gradient": 1e-3} if case == "clipped" else {})
    bgan = bgan.model_copy(update={"training": bgan.training.model_copy(update=changes)})
    common = common.model_copy(update={"training": common.training.model_copy(update=changes)})
    if case.startswith("bgan"):
        noisy = bgan.model_copy(update={"match": bgan.match.model_copy(update={"noise": 0.05})})
        params = noisy if case == "bgan with noise" else bgan
        return BganTask("toy", params, bgan_module.open_data(params, datasets), numerics)
    params = PretrainParams.model_validate({"schedule": {"steps": STEPS, "lr": 1e-4}})
    if case.startswith("mixed"):
        mix = {"mix": 0.5, "corpus": "toy", "reads": "datasets/synthetic/toy"}
        params = FinetuneParams.model_validate({**ADVERSARIAL, **mix})
    elif not case.startswith("l1"):
        kind = "classical" if case == "classical" else "relativistic"
        params = AdversarialParams.model_validate({**ADVERSARIAL, "loss": kind})
    return DbganTask(
        "toy", "stage", common, params, None, "", dbgan_module.open_data(common, params, datasets), numerics
    )


def walked(task: Task) -> Said:
    """The terms of each step, and after the last the gradients and weights of G and D.

    D's last biases are held: what shifts all logits alike cancels out of a relativistic loss, so their gradients are
    rounding alone, and Adam makes whole steps of it.
    """
    if "discriminator" in task.modules:
        for layer in (task.modules["discriminator"].head[1], task.modules["discriminator"].head[3]):
            layer.bias.requires_grad_(False)
    phase = "real" if isinstance(task, BganTask) else task.phase(0)
    terms = [task._step(phase, step, step) for step in range(STEPS)]
    named = {f"{n}.{k}": p for n, m in task.modules.items() for k, p in m.named_parameters() if p.requires_grad}
    gradients = {name: p.grad for name, p in named.items()}
    weights = {name: p.detach() for name, p in named.items()}
    return {"terms": terms, "gradients": gradients, "weights": weights, "memory": dict(task.memory)}


def worker(rank: int, folder: Path, common: DbganCommon, bgan: BganParams, datasets: Path) -> None:
    """One of `SIZE` processes: all cases, saved to `folder/RANK.pt`."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=SIZE)
    said: Said = {}
    made = count_crops()
    for case in CASES:
        said[case] = walked(build(case, Naive() if case == "naive" else Workers(), common, bgan, datasets))
        said[case]["made"] = sorted(made)
        made.clear()
    said["parts"] = parts(Workers())
    torch.save(said, folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def count_crops() -> set[int]:
    """The places in the batch of all crops that are made from now on."""
    made: set[int] = set()
    cut = Batches.crops

    def counted(self: Batches, step: int, i: int) -> Crop:
        made.add(i)
        return cut(self, step, i)

    Batches.crops = counted  # type: ignore[method-assign]  # in a process that ends with this
    return made


def parts(team: Team) -> Said:
    """The team's own verbs on numbers that a test can add up."""
    own = torch.tensor([[1.0 + team.rank], [10.0 + team.rank]], requires_grad=True)
    everyone = team.gather(own)
    (everyone * torch.tensor([[1.0], [2.0], [3.0], [4.0]])).sum().backward()
    layer = torch.nn.Linear(2, 1)
    layer.weight.grad = torch.tensor([[float(team.rank), 4.0 * team.rank]])
    team.average(layer.parameters())  # the bias has no gradient
    lost = torch.nn.Linear(1, 1)
    with torch.no_grad():
        lost.weight.fill_(float("nan") if team.rank == 1 else 1.0)
    return {
        "gathered": everyone.detach(),
        "gradient": own.grad,
        "averaged": layer.weight.grad,
        "bias": layer.bias.grad,
        "whole": match_colour(*(team.share(pictures) for pictures in two_batches()), team),
        "mean": team.mean(torch.tensor([float(team.rank), 2.0])),
        "agreed": team.agree({"from": team.rank}),
        "rows": team.share(torch.arange(6)),
        "stopped": stopped(team, lost),
    }


def two_batches() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(0)
    drawn = torch.rand(2, 4, 3, 32, 32, generator=draw)
    return drawn[0].contiguous(memory_format=torch.channels_last), drawn[1].contiguous(
        memory_format=torch.channels_last
    )


def stopped(team: Team, network: torch.nn.Module) -> bool:
    loss = network(torch.ones(1, 1)).sum()
    try:
        update(network, torch.optim.SGD(network.parameters(), lr=1.0), {"loss": loss}, lr=1.0, clip=0.0, team=team)
    except NotFiniteError:
        return True
    return False


@pytest.fixture(scope="module")
def toys(datasets: Path) -> tuple[DbganCommon, BganParams]:
    """Batches of four, so that each of two workers has two samples."""
    networks = {**NETWORKS, "training": {**TRAINING, "batch": 4}}
    generator = {"block": "plain", "blocks": 1, "width": 8}
    phases = {"phase_synthetic": {"steps": 3, "lr": 1e-4}, "phase_real": {"steps": 3, "lr": 1e-4}}
    sources = {"sharp": ["pairs"], "synthetic": ["pairs"], "real": ["phones"]}
    return (
        DbganCommon.model_validate({"pairs": ["pairs"], "generator": generator, **networks}),
        BganParams.model_validate({**sources, "generator": generator, "beta": 0.5, **phases, **networks}),
    )


@pytest.fixture(scope="module")
def together(
    toys: tuple[DbganCommon, BganParams], datasets: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Said]:
    """What each worker has computed; started once for all cases."""
    folder = tmp_path_factory.mktemp("team")
    processes = [context().Process(target=worker, args=(rank, folder, *toys, datasets)) for rank in range(SIZE)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * SIZE
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(SIZE)]


@pytest.fixture(scope="module")
def alone(toys: tuple[DbganCommon, BganParams], datasets: Path) -> Callable[[str], Said]:
    torch.set_num_threads(1)
    return lambda case: walked(build(case, ALONE, *toys, datasets))


def distance(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Largest difference of any tensor, relative to its norm."""
    assert found.keys() == expected.keys()
    return max(float((found[k] - expected[k]).norm() / expected[k].norm()) for k in expected)


@pytest.mark.parametrize("case", [case for case in CASES if case != "naive"])
def test_two_workers_compute_what_one_does(case: str, together: list[Said], alone: Callable[[str], Said]) -> None:
    expected = alone(case)
    for said in together:
        assert said[case]["terms"] == [pytest.approx(terms, rel=1e-4, abs=1e-6) for terms in expected["terms"]]
        assert said[case]["memory"] == pytest.approx(expected["memory"])
        assert distance(said[case]["gradients"], expected["gradients"]) < 1e-4
        assert distance(said[case]["weights"], expected["weights"]) < 1e-5


def test_without_the_logits_of_all_workers_the_gradients_are_others(
    together: list[Said], alone: Callable[[str], Said]
) -> None:
    expected = alone("relativistic")
    assert distance(together[0]["naive"]["gradients"], expected["gradients"]) > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_workers_hold_the_same_weights_bit_for_bit(case: str, together: list[Said]) -> None:
    first, second = (said[case]["weights"] for said in together)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert together[0][case]["memory"] == together[1][case]["memory"]


def test_gathered_rows_are_in_order_and_their_gradient_is_the_workers_own_times_their_number(
    together: list[Said],
) -> None:
    for rank, said in enumerate(together):
        assert said["parts"]["gathered"].flatten().tolist() == [1.0, 10.0, 2.0, 11.0]
        weights = [[1.0, 2.0], [3.0, 4.0]][rank]
        assert said["parts"]["gradient"].flatten().tolist() == [SIZE * weight for weight in weights]


def test_gradients_and_numbers_are_averaged_and_the_first_worker_decides(together: list[Said]) -> None:
    for said in together:
        assert said["parts"]["averaged"].tolist() == [[0.5, 2.0]]
        assert said["parts"]["bias"] is None
        assert said["parts"]["mean"].tolist() == [0.5, 2.0]
        assert said["parts"]["agreed"] == {"from": 0}


def test_a_number_lost_on_one_worker_stops_all(together: list[Said]) -> None:
    assert [said["parts"]["stopped"] for said in together] == [True, True]


@pytest.mark.parametrize("case", CASES)
def test_each_worker_makes_the_crops_of_its_own_rows_alone(case: str, together: list[Said]) -> None:
    assert [said[case]["made"] for said in together] == [[0, 1], [2, 3]]


def test_colours_are_matched_over_the_whole_batch_with_the_bits_of_one_worker(together: list[Said]) -> None:
    expected = match_colour(*two_batches())
    assert torch.equal(torch.cat([said["parts"]["whole"] for said in together]), expected)


def test_shares_are_equal_runs_of_neighbours(together: list[Said]) -> None:
    assert [said["parts"]["rows"].tolist() for said in together] == [[0, 1, 2], [3, 4, 5]]


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    team = Team()
    team.size = 4
    with pytest.raises(ValueError, match="a batch of 6 cannot be divided among 4 workers"):
        team.rows(6)
    with pytest.raises(ValidationError, match="batch 6 cannot be divided among 4 workers"):
        TrainingParams(batch=6, workers=4)


def test_one_worker_keeps_everything_as_it_is() -> None:
    batch = torch.arange(6)
    assert ALONE.leads
    assert ALONE.share(batch).tolist() == batch.tolist()
    assert ALONE.gather(batch) is batch
    assert ALONE.mean(batch) is batch
    assert ALONE.agree(batch) is batch
