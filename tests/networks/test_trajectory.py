"""The trajectory head: physics by hand, alignment, tiles, borders, folding, occlusion, gradients, precision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from dbgan import seeds
from dbgan.blur.response import from_linear, to_linear
from dbgan.errors import ParamsError
from dbgan.networks import generator, load_weights, receptive_radius, save_weights, tiles
from dbgan.networks.motion import CELL, Fields, linear_to_srgb, path_points, per_pixel, srgb_to_linear
from dbgan.networks.trajectory import CAMERA, LOCAL, TURN, TrajectoryGenerator


def head(**options: float) -> TrajectoryGenerator:
    network = generator("bgan", head="trajectory", **{"blocks": 1, "width": 8, "seed": 3, **options})
    assert isinstance(network, TrajectoryGenerator)
    return network.eval()


def picture(height: int, width: int, count: int = 1) -> Tensor:
    drawn = seeds.generator(0, "test-trajectory", height, width).random((count, 3, height, width), dtype=np.float32)
    return torch.from_numpy(drawn).to(memory_format=torch.channels_last)


def waves(height: int, width: int) -> Tensor:
    """A smooth picture without edges."""
    y, x = torch.meshgrid(torch.arange(height) / height, torch.arange(width) / width, indexing="ij")
    return (0.5 + 0.05 * torch.stack((torch.sin(5 * x + y), torch.cos(4 * y), torch.sin(3 * x + 3 * y))))[None]


def uniform(height: int, width: int, v: tuple[float, float], a: tuple[float, float] = (0, 0), r: float = 0) -> Fields:
    h, w = -(-height // CELL), -(-width // CELL)
    pair = [torch.tensor(values, dtype=torch.float32).view(1, 2, 1, 1).expand(1, 2, h, w) for values in (v, a)]
    return Fields(pair[0], pair[1], torch.full((1, 1, h, w), float(r)))


Z = torch.tensor([[0.3, -1.2, 0.7, 2.0]])


def test_the_curve_is_the_numpy_one_and_has_a_gradient_at_black() -> None:
    values = torch.linspace(0, 1, 1001, dtype=torch.float64)
    assert np.allclose(srgb_to_linear(values).numpy(), to_linear(values.numpy()), atol=1e-12)
    assert np.allclose(linear_to_srgb(values).numpy(), from_linear(values.numpy()), atol=1e-12)
    light = torch.zeros(3, requires_grad=True)
    linear_to_srgb(light).sum().backward()
    assert light.grad is not None
    assert torch.allclose(light.grad, torch.full((3,), 12.92))


@pytest.mark.parametrize("samples", [2, 9, 13, 40])
def test_paths_have_mean_zero(samples: int) -> None:
    points = path_points(samples, torch.float64)
    assert all(abs(float(p.mean())) < 1e-12 for p in points)
    assert float(points[0].abs().max()) < 0.5
    assert float(torch.hypot(points[2], points[3]).max()) <= 1.0


@pytest.mark.parametrize(
    ("v", "a", "r"), [((8.0, 0.0), (0.0, 0.0), 0.0), ((-5.0, 7.5), (12.0, -6.0), 0.0), ((3.0, -2.0), (0.0, 9.0), 2.5)]
)
def test_blur_is_the_mean_of_light_along_the_path(v, a, r) -> None:
    """Eq. 1 with Eq. 4, by scipy's bilinear sampling in float64."""
    network, x = head(samples=9), picture(24, 31)
    blurry = network.blur(x, uniform(24, 31, v, a, r))
    light = to_linear(x[0].double().numpy())
    rows, columns = np.mgrid[:24, :31].astype(float)
    total = np.zeros_like(light)
    for t, bend, disk_x, disk_y in zip(*(p[0].tolist() for p in path_points(9, torch.float64)), strict=True):
        place = [rows + v[1] * t + a[1] * bend + r * disk_y, columns + v[0] * t + a[0] * bend + r * disk_x]
        total += np.stack([map_coordinates(c, place, order=1, mode="nearest") for c in light])
    expected = from_linear(total / 9)
    assert np.abs(blurry[0].double().numpy() - expected).max() < 2e-5


def test_no_motion_gives_the_picture_back() -> None:
    x = picture(17, 22)
    assert torch.allclose(head().blur(x, uniform(17, 22, (0, 0))), x, atol=1e-6)


def test_pairs_stay_aligned() -> None:
    """The centroid of a blurred point, in light, is the point."""
    x = torch.zeros(1, 3, 61, 61)
    x[..., 30, 30] = 1.0
    light = srgb_to_linear(head().blur(x, uniform(61, 61, (11.3, -6.1), (14.0, 9.0), 1.7)))[0, 0].double()
    along = torch.arange(61, dtype=torch.float64)
    assert float((light.sum(0) * along).sum() / light.sum()) == pytest.approx(30.0, abs=1e-4)
    assert float((light.sum(1) * along).sum() / light.sum()) == pytest.approx(30.0, abs=1e-4)


def test_borders_are_not_darkened() -> None:
    x = torch.full((1, 3, 30, 30), 0.8)
    assert torch.allclose(head().blur(x, uniform(30, 30, (20.0, 9.0), (20.0, 0.0), 3.0)), x, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(131, 203), (202, 157), (64, 300), (9, 250)])
@pytest.mark.parametrize("max_path", [6.0, 40.0])
def test_tiles_equal_the_whole_picture_exactly(height: int, width: int, max_path: float) -> None:
    network, image = head(max_path=max_path), picture(height, width)
    with torch.inference_mode():
        whole = tiles.apply(network, image, Z, tile=512)
        torch.testing.assert_close(whole, network(image, Z), rtol=0, atol=1e-5)
        for tile in (64, 70):
            assert torch.equal(tiles.apply(network, image, Z, tile=tile), whole)


def test_a_strip_of_rows_is_what_the_whole_gives_at_once() -> None:
    network, image = head(), picture(101, 50)
    with torch.no_grad():
        striped = network(image, Z)
    assert torch.equal(striped, network(image, Z).detach())


def test_receptive_radius_holds_what_one_pixel_reaches() -> None:
    network = head(max_path=40.0)
    radius = receptive_radius(network)
    side = 2 * radius + 41
    image = picture(32, side)
    other = image.clone()
    other[..., 16, side // 2] = 1.0 - other[..., 16, side // 2]
    with torch.inference_mode():
        changed = (network(image, Z) != network(other, Z)).any(1)[0].any(0).nonzero()[:, 0]
    assert int((changed - side // 2).abs().max()) <= radius
    assert radius == max(4 * (1 + 5 + 1 + 7 + 1) + 3, 20 + 3 + 1)


def test_gradients_reach_every_parameter_and_z() -> None:
    network, z = head(blocks=2).train(), Z.clone().requires_grad_()
    network(picture(32, 36), z).square().sum().backward()
    assert z.grad is not None
    assert (z.grad != 0).all()
    assert [n for n, p in network.named_parameters() if p.grad is None or not (p.grad != 0).any()] == []


def test_gradient_of_the_blur_is_the_numerical_one() -> None:
    network, x = head(samples=5), picture(8, 8).double()
    fields = uniform(8, 8, (2.3, -1.1), (1.7, 0.4), 0.6)
    values = fields.stacked().double().requires_grad_()

    def blur(v: Tensor) -> Tensor:
        return network.blur(x, Fields(v[:, :2], v[:, 2:4], v[:, 4:]))

    assert torch.autograd.gradcheck(blur, values, eps=1e-6, atol=1e-5)


def test_paths_are_bounded_whatever_the_weights() -> None:
    network = head(max_path=40.0, max_defocus=2.0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(30.0)
        fields = network.fields(picture(64, 64), Z)
    v, a = (f.square().sum(1).sqrt() for f in (fields.velocity, fields.acceleration))
    assert float((v + a / 4).max()) <= 40.0 * 1.0001  # length of a path: |v| + |a| / 4 at most
    assert 0 <= float(fields.defocus.min()) <= float(fields.defocus.max()) <= 2.0001
    assert float(v.max()) > 20.0  # the bound is near


@pytest.mark.parametrize("seed", range(4))
def test_smooth_pictures_do_not_fold(seed: int) -> None:
    """The map of every pixel to where its path begins or ends keeps its orientation: Jacobian determinant over 0."""
    network = head(blocks=2, width=32, seed=seed, max_path=40.0)
    z = torch.from_numpy(seeds.generator(seed, "z").standard_normal((1, 4), dtype=np.float32))
    with torch.no_grad():
        fields = network.fields(waves(128, 160), z)
    assert smallest_determinant(fields) > 0.2


def smallest_determinant(fields: Fields) -> float:
    """Of the map of every pixel to where its path begins, and to where it ends."""
    smallest = []
    for t in (-0.5, 0.5):
        moved = fields.velocity * t + fields.acceleration * (t * t - 1 / 12) / 2
        moved = torch.nn.functional.interpolate(moved, scale_factor=CELL, mode="bilinear")[0].double()
        dy, dx = moved[:, 1:, :-1] - moved[:, :-1, :-1], moved[:, :-1, 1:] - moved[:, :-1, :-1]
        smallest.append(float(((1 + dx[0]) * (1 + dy[1]) - dx[1] * dy[0]).min()))
    return min(smallest)


def moving_square() -> tuple[Tensor, Fields, Tensor]:
    """A bright textured square on a dark textured ground, its cells moving at 12 px; which pixels are the square's."""
    x = picture(96, 96) * 0.25
    inside = torch.zeros(96, 96, dtype=torch.bool)
    inside[29:67, 30:69] = True
    x[..., inside] += 0.7
    share = torch.nn.functional.avg_pool2d(inside[None, None].float(), CELL)
    speed = torch.cat((12.0 * (share > 0.5), torch.zeros_like(share)), 1)
    return x, Fields(speed, torch.zeros_like(speed), torch.zeros_like(share)), inside


def test_a_still_ground_beside_a_moving_square_stays_sharp() -> None:
    x, fields, inside = moving_square()
    blurry = head().blur(x, fields)
    change = (blurry - x).abs().mean(1)[0]
    around = torch.nn.functional.max_pool2d(inside[None, None].float(), 9, 1, 4)[0, 0].bool() & ~inside
    corners = torch.zeros_like(inside)
    corners[20:40, 20:40] = corners[20:40, 58:78] = corners[56:76, 20:40] = corners[56:76, 58:78] = True
    beside = around & ~corners
    assert float(change[beside].median()) < 2e-3  # the ring of 4 px around the square
    assert float((change[beside] < 0.02).float().mean()) > 0.9
    assert float(change[40:56, 40:60].mean()) > 0.02  # and the square itself is blurred

    evenly = torch.nn.functional.interpolate(fields.velocity, scale_factor=CELL, mode="bilinear")
    assert float((evenly[0, 0][beside] > 1.0).float().mean()) > 0.3  # which plain upsampling would not have kept


def square_alone(speed: float) -> TrajectoryGenerator:
    """A head whose gate is open where the picture is bright and whose one layer moves right at about `speed` px."""
    network = head(layers=1, max_path=40.0, max_defocus=0.0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.head.weight[0, : 3 * CELL**2, 1, 1] = 1 / (3 * CELL**2)  # the cell's mean
        network.tail.weight[0, 0, 1, 1], network.tail.bias[0] = 400.0, -200.0  # open over 1/2
        network.straight.weight[CAMERA, 0] = 1.0
    assert speed == LOCAL * 40.0 / 4  # what a large z reaches
    return network


def test_a_layer_moves_what_its_gate_is_open_on_and_nothing_else() -> None:
    x, _, inside = moving_square()
    network = square_alone(20.0)
    with torch.no_grad():
        velocity = per_pixel(network.fields(x, Z.new_tensor([[1e3, 0, 0, 0]])), x)[0, 0]
        blurry = network(x, Z.new_tensor([[1e3, 0, 0, 0]]))
    deep = -torch.nn.functional.max_pool2d(-inside[None, None].float(), 9, 1, 4)[0, 0] > 0
    far = torch.nn.functional.max_pool2d(inside[None, None].float(), 9, 1, 4)[0, 0] == 0
    assert float(velocity[deep].median()) > 9.0
    assert float(velocity[far].abs().max()) < 0.2
    change = (blurry - x).abs().mean(1)[0]
    assert float(change[deep].mean()) > 0.02
    assert float((change[far] < 0.01).float().mean()) > 0.99


@pytest.mark.parametrize("z", [1e3, -1e3])
def test_a_layer_that_begins_in_the_middle_of_a_surface_does_not_fold(z: float) -> None:
    """Its gate goes from 0 to 1 within a cell or two, where the picture has no edge."""
    with torch.no_grad():
        fields = square_alone(20.0).fields(waves(128, 160), Z.new_tensor([[z, 0, 0, 0]]))
    assert float(fields.velocity.norm(dim=1).max()) > 15.0
    assert float(fields.velocity.norm(dim=1).min()) < 1.0
    assert smallest_determinant(fields) > 0.2


def test_the_camera_rolls_and_zooms_about_the_middle_of_the_whole_picture() -> None:
    network = head(layers=0, max_path=64.0)
    with torch.no_grad():
        network.straight.weight[:4] = 0.0  # no shift
        network.bent[1].weight.zero_()
        fields = network.fields(waves(128, 160), 3 * Z)
        turn = TURN * squashed(network.straight(3 * Z))[0, 4:6]
    y, x = torch.meshgrid(torch.arange(32) * 4 + 2.0 - 64, torch.arange(40) * 4 + 2.0 - 80, indexing="ij")
    expected = torch.stack((turn[1] * x - turn[0] * y, turn[1] * y + turn[0] * x))
    assert float(expected.abs().max()) > 1.0
    inner = (..., slice(8, 24), slice(8, 32))  # smoothing repeats the border, which flattens it
    assert torch.allclose(fields.velocity[0][inner], expected[inner], atol=0.03)


def squashed(values: Tensor) -> Tensor:
    return values / (1 + values.square()).sqrt()


def test_opposite_noise_moves_the_other_way_so_that_no_direction_is_preferred() -> None:
    network, x = head(layers=0), picture(32, 40)
    with torch.no_grad():
        one, other = network.fields(x, Z), network.fields(x, -Z)
    assert float(one.velocity.abs().max()) > 1.0
    assert torch.allclose(one.velocity, -other.velocity, atol=1e-5)
    assert torch.allclose(one.acceleration, -other.acceleration, atol=1e-5)


def test_fresh_heads_move_in_every_direction() -> None:
    network, x = head(blocks=2, width=32), picture(32, 40).expand(64, -1, -1, -1)
    z = torch.from_numpy(seeds.generator(5, "z").standard_normal((64, 4), dtype=np.float32))
    with torch.no_grad():
        velocity = network.fields(x, z).velocity.mean((2, 3))
    sixths = (torch.atan2(velocity[:, 1], velocity[:, 0]) / np.pi * 6).floor() % 6  # of a half turn: blur has no sign
    assert all(int((sixths == k).sum()) >= 3 for k in range(6))


def test_fresh_heads_move_a_little_and_a_lot() -> None:
    """z draws how strong the blur is, and not its direction alone."""
    network, x = head(blocks=2, width=32), picture(32, 40).expand(64, -1, -1, -1)
    z = torch.from_numpy(seeds.generator(5, "z").standard_normal((64, 4), dtype=np.float32))
    with torch.no_grad():
        lengths = network.fields(x, z).velocity.norm(dim=1).mean((1, 2))
    weak, middle, strong = (float(lengths.quantile(share)) for share in (0.1, 0.5, 0.9))
    assert weak < 0.6 * middle
    assert strong > 1.5 * middle


def test_fields_of_a_reduced_picture_apply_to_the_large_one() -> None:
    small = uniform(24, 32, (3.0, -1.5), (2.0, 0.0), 0.5)
    x = picture(96, 128)
    expected = head().blur(x, uniform(96, 128, (12.0, -6.0), (8.0, 0.0), 2.0))
    assert torch.allclose(head().blur(x, small), expected, atol=1e-5)


def test_paths_longer_than_the_networks_own_reach_are_sampled() -> None:
    small = uniform(16, 24, (14.0, 0.0))
    x = picture(64, 96)
    expected = head(max_path=64.0).blur(x, uniform(64, 96, (56.0, 0.0)))
    assert torch.allclose(head(max_path=14.0).blur(x, small), expected, atol=1e-5)


def test_bf16_networks_sample_in_float32() -> None:
    network, x = head(), picture(40, 44)
    fields = uniform(40, 44, (9.0, 3.0))
    plain = network.blur(x, fields)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network.blur(x, fields), plain)
        blurry = network(x, Z)
    assert blurry.dtype == torch.float32
    assert float((blurry - network(x, Z)).abs().mean().detach()) < 5e-3


def test_the_mean_colour_stays() -> None:
    """A path moves light and makes none: on an even picture colour cannot change, on any its mean hardly does."""
    x = waves(64, 64) * torch.tensor([1.5, 1.0, 0.5]).view(1, 3, 1, 1)
    blurry = head()(x, Z)
    assert float((srgb_to_linear(blurry) - srgb_to_linear(x)).mean((2, 3)).abs().max()) < 2e-3


def test_z_changes_the_motion_from_the_first_step() -> None:
    network, x = head(), picture(32, 32)
    one, two = (network.fields(x, z).velocity.mean((2, 3)) for z in (Z, -Z))
    assert float((one - two).norm()) > 1.0


def test_weights_come_back_with_their_architecture(tmp_path: Path) -> None:
    network = head(max_path=33.0, samples=11)
    save_weights(tmp_path / "w.safetensors", network)
    again = load_weights(tmp_path / "w.safetensors")
    assert again.architecture == network.architecture
    assert torch.equal(again(picture(20, 20), Z), network(picture(20, 20), Z))


@pytest.mark.parametrize(("height", "width"), [(31, 50), (9, 70), (3, 2)])
@pytest.mark.parametrize("options", [{}, {"samples": 17, "max_path": 40.0}])
def test_what_onnx_is_made_of_gives_the_same_picture(height: int, width: int, options: dict[str, float]) -> None:
    network, x = head(**options), picture(height, width)
    with torch.inference_mode():
        for z in (Z, 3 * Z):
            torch.testing.assert_close(network.exportable()(x, z), network(x, z), rtol=0, atol=2e-6)


def test_what_it_cannot_be_is_said() -> None:
    with pytest.raises(ParamsError, match=r"zero_last starts with no motion(.|\n)*Next: "):
        generator("bgan", head="trajectory", init="zero_last")
    with pytest.raises(ParamsError, match="max_path: expected 1 to 64, found 500"):
        generator("bgan", head="trajectory", max_path=500)
    with pytest.raises(ParamsError, match="not a dbgan"):
        generator("dbgan", network="trajectory")
    with pytest.raises(ValueError, match="expected noise z"):
        head()(picture(8, 8), None)
