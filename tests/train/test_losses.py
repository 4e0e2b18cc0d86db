"""Losses: hand-computed values, an independent implementation, and whom the printed Eq. 7 trains."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from dbgan.train.losses import (
    classical_discriminator_loss,
    classical_generator_loss,
    content,
    low_pass_content,
    perceptual,
    relativistic_discriminator_loss,
    relativistic_generator_loss,
)

ALL = [
    relativistic_discriminator_loss,
    relativistic_generator_loss,
    classical_discriminator_loss,
    classical_generator_loss,
]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def logits(*values: float) -> Tensor:
    return torch.tensor(values).reshape(-1, 1)


def test_relativistic_losses_of_one_pair_by_hand() -> None:
    """C(real) = 2, C(fake) = -1: the difference is 3 for D, and G must turn it round."""
    real, fake = logits(2.0), logits(-1.0)
    assert relativistic_discriminator_loss(real, fake).item() == pytest.approx(2 * math.log(1 + math.exp(-3)))
    assert relativistic_generator_loss(real, fake).item() == pytest.approx(2 * math.log(1 + math.exp(3)))


def test_relativistic_losses_take_the_mean_of_the_other_batch() -> None:
    """Real 3 and 1 (mean 2), fake 0 and -2 (mean -1): by hand with 4 + 2 and -2 - 4."""
    real, fake = logits(3.0, 1.0), logits(0.0, -2.0)
    d = -(math.log(sigmoid(4)) + math.log(sigmoid(2))) / 2 - (math.log(1 - sigmoid(-2)) + math.log(1 - sigmoid(-4))) / 2
    g = -(math.log(1 - sigmoid(4)) + math.log(1 - sigmoid(2))) / 2 - (math.log(sigmoid(-2)) + math.log(sigmoid(-4))) / 2
    assert relativistic_discriminator_loss(real, fake).item() == pytest.approx(d, rel=1e-6)
    assert relativistic_generator_loss(real, fake).item() == pytest.approx(g, rel=1e-6)


def test_classical_losses_by_hand() -> None:
    real, fake = logits(2.0, 0.0), logits(-1.0, 1.0)
    d = -(math.log(sigmoid(2)) + math.log(0.5)) / 2 - (math.log(1 - sigmoid(-1)) + math.log(1 - sigmoid(1))) / 2
    assert classical_discriminator_loss(real, fake).item() == pytest.approx(d, rel=1e-6)
    assert classical_generator_loss(real, fake).item() == pytest.approx(
        -(math.log(sigmoid(-1)) + math.log(sigmoid(1))) / 2, rel=1e-6
    )


def test_an_undecided_discriminator_costs_two_ln_two() -> None:
    undecided = logits(0.7, 0.7, 0.7)
    for loss in (relativistic_discriminator_loss, relativistic_generator_loss):
        assert loss(undecided, undecided).item() == pytest.approx(2 * math.log(2))
    zero = logits(0.0, 0.0)
    assert classical_discriminator_loss(zero, zero).item() == pytest.approx(2 * math.log(2))
    assert classical_generator_loss(zero, zero).item() == pytest.approx(math.log(2))


def ragan(real: list[float], fake: list[float]) -> tuple[float, float]:
    """Relativistic average GAN as in section 4.2 of Jolicoeur-Martineau (2019), by loops over Python floats:
    D~(x) = sigmoid(C(x) - E[C(other)]), L_D = -E[log D~(x_r)] - E[log(1 - D~(x_f))], and swapped for G."""
    mean_real, mean_fake = sum(real) / len(real), sum(fake) / len(fake)
    judged_real = [sigmoid(c - mean_fake) for c in real]
    judged_fake = [sigmoid(c - mean_real) for c in fake]
    loss_d = -sum(map(math.log, judged_real)) / len(real) - sum(math.log(1 - p) for p in judged_fake) / len(fake)
    loss_g = -sum(map(math.log, judged_fake)) / len(fake) - sum(math.log(1 - p) for p in judged_real) / len(real)
    return loss_d, loss_g


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("reals", "fakes"), [(4, 4), (1, 3), (7, 2)])
def test_relativistic_losses_equal_an_independent_implementation(seed, reals, fakes) -> None:
    generator = torch.Generator().manual_seed(seed)
    real, fake = torch.randn(reals, 1, generator=generator) * 2, torch.randn(fakes, 1, generator=generator) * 2
    loss_d, loss_g = ragan(real.flatten().tolist(), fake.flatten().tolist())
    assert relativistic_discriminator_loss(real, fake).item() == pytest.approx(loss_d, rel=1e-5)
    assert relativistic_generator_loss(real, fake).item() == pytest.approx(loss_g, rel=1e-5)


def test_generator_losses_fall_as_fakes_fool_d() -> None:
    real = logits(0.0, 0.5)
    for loss in (relativistic_generator_loss, classical_generator_loss):
        values = [loss(real, logits(shift, shift + 0.1)).item() for shift in (-5.0, -1.0, 0.0, 1.0, 5.0)]
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 5


def test_discriminator_losses_rise_as_fakes_fool_d() -> None:
    real = logits(0.0, 0.5)
    for loss in (relativistic_discriminator_loss, classical_discriminator_loss):
        values = [loss(real, logits(shift, shift + 0.1)).item() for shift in (-5.0, -1.0, 0.0, 1.0, 5.0)]
        assert values == sorted(values)


def printed_eq_7(real: Tensor, fake: Tensor) -> Tensor:
    """Eq. 7 to the letter: -[log sigma(C(I_real) - E C(I_fake)) + log(1 - sigma(C(I_fake) - E C(I_real)))]."""
    return -(torch.sigmoid(real - fake.mean()).log() + (1 - torch.sigmoid(fake - real.mean())).log()).mean()


def test_the_printed_eq_7_trains_the_generator_to_be_caught() -> None:
    """0.013 for obvious fakes and 10 for fakes that fool D; a step down it lowers the fakes' logits."""
    real = logits(0.0)
    assert printed_eq_7(real, logits(-5.0)).item() == pytest.approx(0.0134, abs=1e-4)
    assert printed_eq_7(real, logits(5.0)).item() == pytest.approx(10.0134, abs=1e-3)
    gradients = {}
    for name, loss in (("printed", printed_eq_7), ("ours", relativistic_generator_loss)):
        fake = logits(-1.0, 0.5).requires_grad_()
        loss(logits(0.3, -0.2), fake).backward()
        gradients[name] = fake.grad
    assert (gradients["printed"] > 0).all(), "descent makes fakes less real"
    assert (gradients["ours"] < 0).all(), "descent makes fakes more real"
    torch.testing.assert_close(
        printed_eq_7(logits(0.3, -0.2), logits(-1.0, 0.5)),
        relativistic_discriminator_loss(logits(0.3, -0.2), logits(-1.0, 0.5)),
    )


def test_real_logits_give_the_generator_its_gradient_through_the_fakes_mean() -> None:
    """With real logits detached, the first term still pulls the fakes: E[C(fake)] is in it."""
    fake = logits(-1.0, 0.5).double().requires_grad_()
    real = logits(0.3, -0.2).double()
    attached = torch.autograd.grad(relativistic_generator_loss(real.clone().requires_grad_(), fake), fake)[0]
    detached = torch.autograd.grad(relativistic_generator_loss(real.detach(), fake), fake)[0]
    assert torch.equal(attached, detached)
    step = 1e-3
    raised = logits(-1.0 + step, 0.5).double()
    slope = (relativistic_generator_loss(real, raised) - relativistic_generator_loss(real, fake)) / step
    assert detached[0, 0].item() == pytest.approx(slope.item(), rel=1e-2)
    only_second_term = -(1 - sigmoid(-1.0 - 0.05)) / 2
    assert detached[0, 0].item() < only_second_term - 0.1


@pytest.mark.parametrize("loss", ALL)
def test_losses_are_scalar_float32_at_any_precision_and_shape(loss) -> None:
    real, fake = logits(2.0, 0.0), logits(-1.0, 1.0)
    expected = loss(real, fake)
    assert (expected.shape, expected.dtype) == ((), torch.float32)
    assert torch.equal(loss(real.flatten(), fake.flatten()), expected)
    assert torch.equal(loss(real.bfloat16(), fake.bfloat16()), expected)


@pytest.mark.parametrize("loss", ALL)
def test_every_logit_of_a_map_is_a_verdict(loss) -> None:
    """A map of patches weighs as much as the same logits of so many crops, E[.] included."""
    source = torch.Generator().manual_seed(0)
    real, fake = (torch.randn(2, 1, 3, 5, generator=source) for _ in range(2))
    assert torch.equal(loss(real, fake), loss(real.reshape(-1, 1), fake.reshape(-1, 1)))


@pytest.mark.parametrize("loss", ALL)
def test_losses_of_extreme_logits_stay_finite(loss) -> None:
    assert loss(logits(200.0), logits(-200.0)).isfinite()
    assert loss(logits(-200.0), logits(200.0)).isfinite()


@pytest.mark.parametrize("loss", [relativistic_discriminator_loss, relativistic_generator_loss])
@pytest.mark.parametrize("wrong", [torch.zeros(0, 1), torch.zeros(2, 3), torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4)])
def test_logits_of_another_shape_are_refused(loss, wrong) -> None:
    with pytest.raises(ValueError, match=r"logits: expected \(N, 1\), \(N,\) or \(N, 1, h, w\)"):
        loss(wrong, logits(0.0))


def test_content_by_hand() -> None:
    output, target = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.0]])
    assert content(output, target).item() == pytest.approx(0.75)
    assert content(output, target, "mse").item() == pytest.approx(0.625)
    with pytest.raises(ValueError, match="found 'l2'"):
        content(output, target, "l2")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"found \(1, 2\) and \(2,\)"):
        content(output, target[0])


def test_perceptual_is_the_l1_of_features_and_its_gradient_goes_to_the_output_alone() -> None:
    features = torch.nn.Conv2d(3, 2, 1, bias=False).requires_grad_(False)
    output, target = torch.rand(1, 3, 4, 4, requires_grad=True), torch.rand(1, 3, 4, 4, requires_grad=True)
    loss = perceptual(features, output, target)
    difference = torch.einsum("oc,nchw->nohw", features.weight[:, :, 0, 0], output - target)
    assert loss.item() == pytest.approx(difference.abs().mean().item(), rel=1e-4)
    loss.backward()
    assert output.grad is not None
    assert target.grad is None


def test_low_pass_content_sees_tint_and_no_detail() -> None:
    flat = torch.full((1, 3, 16, 24), 0.5)
    checks = flat + 0.2 * ((torch.arange(16)[:, None] + torch.arange(24)) % 2 * 2 - 1)
    assert float(low_pass_content(checks, flat)) == pytest.approx(0.0, abs=1e-6)
    assert float(low_pass_content(flat + 0.1, flat)) == pytest.approx(0.1, rel=1e-5)
