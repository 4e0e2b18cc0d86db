"""What moves on its own, seen from neighbouring sharp frames, and layers that learn it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pydantic import ValidationError

from dbgan import seeds
from dbgan.networks import generator
from dbgan.networks.motion import CELL
from dbgan.networks.trajectory import TrajectoryGenerator
from dbgan.params import BganParams
from dbgan.sample.photographs import backdrop
from dbgan.train.batches import Batches
from dbgan.train.bgan import BganTask, open_data
from dbgan.train.data import open_set
from dbgan.train.moving import MOVES, STILL, UNKNOWN, MovingSet, layers_loss, moving, openness
from dbgan.train.numerics import Numerics
from tests.train.conftest import select, write_corpus

Picture = NDArray[np.uint8]
TRAJECTORY = {"network": "trajectory", "blocks": 1, "width": 8}


def scene(n: int, *, thing: bool = True, roll_deg: float = 1.0) -> Picture:
    """Frame `n` of a camera that shifts and rolls over a photograph, with a square that goes its own way."""
    wide = backdrop("astronaut", 240, 180)
    matrix = cv2.getRotationMatrix2D((180.0, 150.0), roll_deg * n, 1.0)
    matrix[:, 2] += (-60 + 5 * n, -50 - 3 * n)
    frame = cv2.warpAffine(wide, matrix, (240, 180), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    if thing:
        left, top = place(n)
        frame[top : top + 60, left : left + 60] = backdrop("chelsea", 240, 180)[40:100, 60:120]
    return np.asarray(frame, np.uint8)


def place(n: int) -> tuple[int, int]:
    return 90 - 9 * n, 60 + 6 * n


def square(n: int) -> NDArray[np.bool_]:
    inside = np.zeros((180, 240), bool)
    left, top = place(n)
    inside[top : top + 60, left : left + 60] = True
    return inside


def test_a_thing_that_goes_its_own_way_is_told_from_a_camera_that_shifts_and_rolls() -> None:
    found = moving(scene(1), [scene(0), scene(2)])
    assert found.shape == (180, 240, 1)
    moves = found[..., 0] == MOVES
    assert (moves & square(1)).sum() / (moves | square(1)).sum() > 0.75


def test_a_camera_alone_moves_nothing() -> None:
    still = moving(scene(1, thing=False), [scene(0, thing=False), scene(2, thing=False)])
    assert (still == STILL).mean() > 0.98


def test_nothing_is_known_without_a_neighbour_or_across_a_cut() -> None:
    other = np.asarray(np.random.default_rng(0).integers(0, 255, (180, 240, 3)), np.uint8)
    assert (moving(scene(1), []) == UNKNOWN).all()
    assert (moving(scene(1), [other]) == UNKNOWN).all()
    assert (moving(scene(1), [other, scene(2)]) != UNKNOWN).all()


def test_large_frames_are_looked_at_reduced_and_the_mask_is_of_their_size() -> None:
    large = [cv2.resize(scene(n), (1440, 1080), interpolation=cv2.INTER_CUBIC) for n in range(3)]
    found = moving(large[1], [large[0], large[2]])
    wanted = cv2.resize(square(1).astype(np.uint8), (1440, 1080), interpolation=cv2.INTER_NEAREST) > 0
    assert found.shape == (1080, 1440, 1)
    moves = found[..., 0] == MOVES
    assert (moves & wanted).sum() / (moves | wanted).sum() > 0.7


def test_the_number_of_threads_changes_no_bit() -> None:
    before = cv2.getNumThreads()
    try:
        found = []
        for threads in (1, 3):
            cv2.setNumThreads(threads)
            found.append(moving(scene(1), [scene(0), scene(2)]))
    finally:
        cv2.setNumThreads(before)
    assert np.array_equal(*found)


@pytest.fixture(scope="module")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """datasets/train/clip: sequences A and B of three frames each."""
    root = tmp_path_factory.mktemp("moving")
    frames = {f"{name}/00000{n + 1}": scene(n) for name in "AB" for n in range(3)}
    write_corpus(root / "train" / "clip", "paired", {k: {"blur": v, "sharp": v} for k, v in frames.items()})
    select(root / "train" / "clip", {"A": "train", "B": "train"})
    return root


def test_neighbours_are_of_the_same_sequence_and_masks_are_cut_and_turned_as_their_frames(sequences: Path) -> None:
    samples = open_set(sequences, ["clip"], ("sharp",), "train", made_by=MovingSet)
    first, last = samples.images(0), samples.images(2)
    assert np.array_equal(first[1], moving(scene(0), [scene(1)]))
    assert np.array_equal(last[1], moving(scene(2), [scene(1)]))  # not the next one, of sequence B
    crops = Batches(samples, seed=1, purpose="sharp", crop=64, batch=6, jpeg=80)
    for i in range(6):
        window = crops.window(0, i, 180, 240)
        _, mask = samples.images(crops.index(0, i))
        cut = crops.crops(0, i)[1]
        assert np.array_equal(cut, window.cut(mask, 64))
    assert [tuple(field.shape) for field in crops(0)] == [(6, 3, 64, 64), (6, 1, 64, 64)]


def test_the_loss_is_the_cross_entropy_of_known_cells_by_hand() -> None:
    layers = torch.tensor([[[[0.9, 0.2]], [[0.0, 0.5]]]])  # one picture, two layers, two cells
    masks = torch.full((1, 1, CELL, 2 * CELL), MOVES / 255.0)
    masks[..., CELL:] = STILL
    union = 1 - (1 - layers[0, 0, 0]) * (1 - layers[0, 1, 0])
    both = -(union[0].log() + (1 - union[1]).log()) / 2
    assert layers_loss(layers, masks) == pytest.approx(float(both), rel=1e-5)
    masks[..., CELL:] = UNKNOWN / 255
    assert layers_loss(layers, masks) == pytest.approx(float(-union[0].log() / 2), rel=1e-5)
    assert openness(layers, masks) == {"layers_moving": pytest.approx(float(union[0]))}


def test_layers_learn_to_open_on_what_moves_and_nowhere_else() -> None:
    frames = [scene(n) for n in range(3)]
    masks = [moving(frames[0], frames[1:2]), moving(frames[1], [frames[0], frames[2]]), moving(frames[2], frames[1:2])]
    x, m = (torch.from_numpy(np.stack(p)).permute(0, 3, 1, 2).float() / 255 for p in (frames, masks))
    head = generator("bgan", head="trajectory", blocks=1, width=8)
    assert isinstance(head, TrajectoryGenerator)
    z = torch.from_numpy(seeds.generator(0, "z").standard_normal((3, 4), dtype=np.float32))
    optimizer = torch.optim.Adam([*head.head.parameters(), *head.blocks.parameters(), *head.tail.parameters()], lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        layers_loss(head.layers_of(x, z), m).backward()
        optimizer.step()
    told = openness(head.layers_of(x, z), m)
    assert told["layers_moving"] > 0.4
    assert told["layers_still"] < 0.15


def test_what_judges_the_picture_opens_no_layer() -> None:
    head = generator("bgan", head="trajectory", blocks=1, width=8)
    assert isinstance(head, TrajectoryGenerator)
    x = torch.from_numpy(scene(1)).permute(2, 0, 1)[None].float() / 255
    z = torch.from_numpy(seeds.generator(0, "z").standard_normal((1, 4), dtype=np.float32))
    blurry, layers = head.train().blur_and_layers(x, z)
    assert torch.equal(layers, head.layers_of(x, z))
    assert torch.equal(blurry, head(x, z))
    blurry.square().sum().backward()
    reached = {name for name, p in head.named_parameters() if p.grad is not None and (p.grad != 0).any()}
    assert reached == {"tail.weight", "tail.bias", "straight.weight", "bent.0.weight", "bent.1.weight"}
    assert head.tail.weight.grad is not None
    opens, focuses = head.tail.weight.grad[: head.layers], head.tail.weight.grad[head.layers :]
    assert (opens == 0).all()
    assert (focuses != 0).any()


def moving_task(sequences: Path, bgan_params: BganParams, moving: float) -> BganTask:
    sources = {name: ["clip"] for name in ("sharp", "synthetic", "real")}
    own = {**bgan_params.model_dump(), **sources, "generator": TRAJECTORY, "moving": moving}
    params = BganParams.model_validate(own)
    return BganTask("toy", params, open_data(params, sequences), Numerics.choose(params.training))


@pytest.mark.parametrize(("moving", "learnt"), [(0.0, set()), (0.7, {"head", "blocks", "inject", "tail"})])
def test_layers_learn_while_d_warms_up_and_nothing_else_does(
    sequences: Path, bgan_params: BganParams, moving: float, learnt: set[str]
) -> None:
    task = moving_task(sequences, bgan_params, moving)
    before = {name: p.detach().clone() for name, p in task.generator.named_parameters()}
    values = task._step("warmup", 0, 0)
    changed = {name.split(".")[0] for name, p in task.generator.named_parameters() if not torch.equal(p, before[name])}
    assert changed == learnt
    assert ("moving" in values) == bool(moving)
    assert values["d_loss"] > 0.0


def test_a_step_of_bgan_adds_the_loss_and_its_gauges(sequences: Path, bgan_params: BganParams) -> None:
    task = moving_task(sequences, bgan_params, 0.7)
    terms = task._step("synthetic", 0, 0)
    expected = terms["perceptual"] + 0.01 * terms["adversarial"] + 0.7 * terms["moving"]
    assert terms["loss"] == pytest.approx(expected, rel=1e-4)
    assert terms["moving"] > 0.0
    gauges = task.evaluate()
    assert 0.0 < gauges["layers_still"] < 1.0
    assert {"moving", "layers_moving", "layers_still"} <= set(task.columns)


def test_what_has_no_layers_or_no_neighbours_is_refused(bgan_params: BganParams) -> None:
    values = {**bgan_params.model_dump(), "moving": 1.0}
    with pytest.raises(ValidationError, match=r"layers of generator\.network: trajectory"):
        BganParams.model_validate(values)
    streamed = {**values["training"], "loader": "stream", "cache": "none"}
    with pytest.raises(ValidationError, match="set loader: random"):
        BganParams.model_validate({**values, "generator": TRAJECTORY, "training": streamed})
