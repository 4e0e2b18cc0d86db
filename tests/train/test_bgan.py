"""BGAN's phases, what its discriminator sees, and its outs."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from dbgan.networks import load_weights
from dbgan.params import BganParams, GeneratorParams, MatchParams, ScheduleParams
from dbgan.train import losses
from dbgan.train.bgan import BganTask, add_noise, luminance, match_colour, open_data, train_bgan
from dbgan.train.numerics import Numerics

CPU = Numerics("cpu", bf16=False, threads=1)


def task(params: BganParams, datasets: Path) -> BganTask:
    torch.set_num_threads(1)
    return BganTask("toy", params, open_data(params, datasets), CPU)


def weights(network: torch.nn.Module) -> list[torch.Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def changed(before: list[torch.Tensor], network: torch.nn.Module) -> bool:
    return not all(torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


def test_the_discriminator_trains_alone_first(bgan_params: BganParams, datasets: Path) -> None:
    trained = task(bgan_params, datasets)
    generator, discriminator = (weights(trained.modules[n]) for n in ("generator", "discriminator"))
    terms = trained.step(0)
    assert terms.keys() == {"lr", "d_loss", "d_accuracy"}
    assert not changed(generator, trained.modules["generator"])
    assert changed(discriminator, trained.modules["discriminator"])


def test_phases_follow_each_other(bgan_params: BganParams, datasets: Path) -> None:
    trained = task(bgan_params, datasets)
    phases = []
    for step in range(trained.total_steps):
        phases.append(trained.phase(step))
        trained.step(step)
    assert phases == ["warmup"] * 3 + ["synthetic"] * 3 + ["real"] * 3


def test_a_discriminator_that_leads_ends_the_warm_up_early(bgan_params: BganParams, datasets: Path) -> None:
    trained = task(
        bgan_params.model_copy(update={"warmup": bgan_params.warmup.model_copy(update={"accuracy": 0.4})}), datasets
    )
    assert trained.total_steps == 9
    assert trained.phase(0) == "synthetic"  # the smoothed accuracy starts at 0.5
    assert trained.total_steps == 6


def test_real_captures_are_every_second_picture_of_the_real_phase(bgan_params: BganParams, datasets: Path) -> None:
    plain = bgan_params.model_copy(update={"match": bgan_params.match.model_copy(update={"colour": False})})
    trained = task(plain, datasets)
    sharp = trained._sharp(4)[0]
    mixed = trained._real_batch("real", 4, sharp)
    assert torch.equal(mixed[0], trained._synthetic(4)[0][0])
    assert torch.equal(mixed[1], trained._real(4)[0][1])
    assert torch.equal(trained._real_batch("synthetic", 4, sharp), trained._synthetic(4)[0])


def test_every_weight_of_the_generator_learns(bgan_params: BganParams, datasets: Path) -> None:
    trained = task(bgan_params, datasets)
    before = weights(trained.generator)
    trained.rehearse()
    assert all(not torch.equal(a, b) for a, b in zip(before, trained.generator.parameters(), strict=True))


def test_matched_colours_have_the_references_means_and_deviations() -> None:
    draw = torch.Generator().manual_seed(0)
    dark, bright = (
        torch.rand(4, 3, 8, 8, generator=draw) * 0.2 + 0.1,
        torch.rand(4, 3, 8, 8, generator=draw) * 0.3 + 0.4,
    )
    matched = match_colour(dark, bright)
    assert torch.allclose(matched.mean((0, 2, 3)), bright.mean((0, 2, 3)), atol=1e-5)
    assert torch.allclose(matched.std((0, 2, 3)), bright.std((0, 2, 3)), atol=1e-5)
    assert torch.equal(match_colour(dark, dark).round(decimals=5), dark.round(decimals=5))


def test_noise_is_a_function_of_seed_and_step(bgan_params: BganParams) -> None:
    match = bgan_params.match.model_copy(update={"noise": 0.05})
    flat = torch.full((8, 3, 16, 16), 0.5)
    real, fake = add_noise(match, 1, 7, flat, flat)
    assert float((real - flat).std()) == pytest.approx(0.05, rel=0.03)
    assert not torch.equal(real, fake)
    assert torch.equal(add_noise(match, 1, 7, flat, flat)[0], real)
    assert not torch.equal(add_noise(match, 1, 8, flat, flat)[0], real)
    assert add_noise(bgan_params.match, 1, 7, flat, flat)[0] is flat


def test_a_discriminator_for_luminance_sees_three_equal_channels() -> None:
    seen = luminance(torch.tensor([1.0, 0.5, 0.25]).view(1, 3, 1, 1).expand(1, 3, 2, 2))
    assert torch.allclose(seen, torch.full((1, 3, 2, 2), 0.299 + 0.587 / 2 + 0.114 / 4))


def test_colour_luminance_reaches_the_discriminator(bgan_params: BganParams, datasets: Path) -> None:
    trained = task(bgan_params.model_copy(update={"colour": "luminance"}), datasets)
    real, fake = trained._with_noise(0, torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4))
    assert torch.equal(real[:, 0], real[:, 2])
    assert torch.equal(fake[:, 0], fake[:, 1])


def test_colours_and_noise_are_matched_before_the_discriminator_looks(
    bgan_params: BganParams, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = task(bgan_params.model_copy(update={"match": MatchParams(noise=0.05)}), datasets)
    sharp, seen = trained._sharp(4)[0], []
    assert torch.equal(trained._real_batch("real", 4, sharp)[1::2], match_colour(trained._real(4)[0], sharp)[1::2])
    monkeypatch.setattr(trained._critic, "warm", lambda real, fake: seen.append(real) or {})
    trained._step("warmup", 4, 0)
    assert float((seen[0] - trained._synthetic(4)[0]).std()) == pytest.approx(0.05, rel=0.05)


def test_the_perceptual_loss_compares_with_its_own_sharp_input(
    bgan_params: BganParams, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, seen = task(bgan_params, datasets), []
    real = losses.perceptual
    monkeypatch.setattr(losses, "perceptual", lambda *pictures: seen.append(pictures[2]) or real(*pictures))
    trained._step("real", 4, 0)
    assert torch.equal(seen[0], trained._sharp(4)[0])


def test_every_picture_of_every_step_has_a_noise_of_its_own(
    bgan_params: BganParams, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, drawn = task(bgan_params, datasets), []
    real = trained._noise
    monkeypatch.setattr(trained, "_noise", lambda *of: drawn.append(real(*of)) or drawn[-1])
    for step in range(3):
        trained._step("synthetic", step, step)
    assert [z.shape for z in drawn] == [(2, 4)] * 3
    assert len({tuple(row.tolist()) for z in drawn for row in z}) == 6


def test_on_cuda_the_trajectory_head_says_that_resume_is_not_bit_for_bit(
    bgan_params: BganParams, datasets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = bgan_params.model_copy(update={"generator": GeneratorParams(network="trajectory", blocks=1, width=8)})
    assert open_data(head, datasets).notes == ()
    monkeypatch.setattr(Numerics, "choose", lambda training: Numerics("cuda", bf16=True, threads=1))
    (note,) = open_data(head, datasets).notes
    assert "statistically, not bit for bit" in note
    assert open_data(bgan_params, datasets).notes == ()


def test_each_phase_has_its_own_rates_and_the_discriminator_its_share(bgan_params: BganParams, datasets: Path) -> None:
    rates = {"lr": 4e-4, "lr_end": 1e-4}
    params = bgan_params.model_copy(update={"phase_real": ScheduleParams(steps=3, **rates), "discriminator_lr": 2e-4})
    trained, found = task(params, datasets), []
    for step in range(trained.total_steps):
        lr = trained.step(step)["lr"]
        found.append((lr, trained.optimizers["discriminator"].param_groups[0]["lr"]))
    synthetic, real = (1e-3, 0.5005e-3, 1e-6), (4e-4, 2.5e-4, 1e-4)  # half a cosine: its ends and their middle
    assert [lr for lr, _ in found] == pytest.approx([0.0] * 3 + [*synthetic, *real])
    shares = [0.2 * lr for lr in synthetic] + [0.5 * lr for lr in real]
    assert [lr for _, lr in found] == pytest.approx([params.warmup.lr] * 3 + shares)


@pytest.mark.parametrize("network", ["residual", "trajectory"])
def test_patches_are_judged_on_crops_of_any_size(bgan_params: BganParams, datasets: Path, network: str) -> None:
    values = bgan_params.model_dump(mode="json")
    values["training"]["crop"], values["discriminator"]["kind"] = 37, "patch"
    values["generator"] = {"network": network, "blocks": 1, "width": 8}
    values |= {"content": 1.0, "moving": float(network == "trajectory")}
    trained = task(BganParams.model_validate(values), datasets)
    trained.rehearse()
    assert trained._sharp(0)[0].shape[2:] == (37, 37)


def test_weights_of_zero_leave_their_terms_out(bgan_params: BganParams, datasets: Path) -> None:
    lean = bgan_params.model_copy(update={"perceptual_weight": 0.0, "content": 2.0, "beta": 0.5})
    trained = task(lean, datasets)
    terms = trained._step("synthetic", 0, 0)
    assert "perceptual" not in terms
    assert terms["loss"] == pytest.approx(2.0 * terms["content"] + 0.5 * terms["adversarial"], rel=1e-5)
    assert "content" not in task(bgan_params, datasets)._step("synthetic", 0, 0)


def test_the_trajectory_head_learns(bgan_params: BganParams, datasets: Path) -> None:
    head = GeneratorParams(network="trajectory", blocks=1, width=8)
    trained = task(bgan_params.model_copy(update={"generator": head}), datasets)
    before = weights(trained.generator)
    trained.rehearse()
    assert all(not torch.equal(a, b) for a, b in zip(before, trained.generator.parameters(), strict=True))
    assert trained.evaluate()["colour_shift"] < 0.03  # on crops of 40 px: light beyond the border, and its curve


def test_it_leaves_weights_curves_picture_and_summary(bgan_params: BganParams, datasets: Path, tmp_path: Path) -> None:
    train_bgan("toy", bgan_params, datasets, tmp_path)
    network = load_weights(tmp_path / "weights.safetensors")
    blurry = network(torch.rand(1, 3, 40, 40), torch.zeros(1, 4))
    assert blurry.shape == (1, 3, 40, 40)
    header, *rows = (tmp_path / "curves.csv").read_text().splitlines()
    assert header.split(",") == ["step", "phase", *BganTask.columns]
    assert [row.split(",")[:2] for row in rows] == [["3", "warmup"], ["6", "synthetic"], ["9", "real"]]
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["kind"] == "bgan"
    assert summary["variant"] == "toy"
    assert summary["steps"] == 9
    assert summary["parameters"] == sum(p.numel() for p in network.parameters())
    assert "random" in summary["perceptual"]
    assert summary["notes"] == []
    assert {"psnr_to_sharp", "z_sensitivity", "d_accuracy"} <= summary["gauges"].keys()
    samples, walk = (cv2.imread(str(tmp_path / f"{name}.png")) for name in ("samples", "walk"))
    assert samples.shape == (3 * 40 + 2 * 4, 5 * 40 + 4 * 4, 3)  # 3 held-out frames; sharp, 3 variants, a capture
    assert walk.shape == (3 * 40 + 2 * 4, 7 * 40 + 6 * 4, 3)
    # the walk begins at the first draw of z and ends at the second
    assert np.array_equal(walk[:, :40], samples[:, 44:84])
    assert np.array_equal(walk[:, -40:], samples[:, 88:128])
    assert not np.array_equal(walk[:, :40], walk[:, 44:84])
    layouts = summary["pictures"]
    assert layouts["samples.png"] == {"columns": ["sharp", "z 1", "z 2", "z 3", "a real capture"], "gap": 4}
    assert layouts["walk.png"]["columns"] == ["z 1", "17 %", "33 %", "50 %", "67 %", "83 %", "z 2"]
    assert (summary["device_class"]["device"], summary["device_class"]["torch"]) == ("cpu", version("torch"))


def test_gauges_look_at_held_out_frames(bgan_params: BganParams, datasets: Path) -> None:
    data = open_data(bgan_params, datasets)
    assert {data.held_out.key(i)[:7] for i in range(len(data.held_out))} == {"pairs:V"}
    assert data.notes == ()


def test_identity_is_warned_of_but_not_during_the_warm_up(bgan_params: BganParams, datasets: Path) -> None:
    trained = task(bgan_params, datasets)
    row = {"phase": "real", "psnr_to_sharp": 41.0, "z_sensitivity": 0.1, "laplacian": 0.1, "laplacian_sharp": 0.2}
    row |= {"z_low": 0.0, "z_high": 0.1, "colour_shift": 0.0}
    assert "BGAN returns its input (PSNR 41.0 dB" in trained.warnings(row)[0]
    assert trained.warnings({**row, "phase": "warmup"}) == []
