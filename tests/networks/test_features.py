"""Perceptual features: torchvision's VGG19 up to conv5_4, random ones of unit deviation, weights that are verified."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models.vgg import cfgs, make_layers

from dbgan.errors import ParamsError, WeightsError
from dbgan.networks import perceptual
from dbgan.networks.features import VGG19_SHA256, VGG19_URL, calibration_picture, imagenet_file


def crops(count: int = 1, side: int = 32) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def vgg19(tmp_path_factory: pytest.TempPathFactory) -> tuple[torch.nn.Module, Path]:
    """torchvision's own layers with made-up weights, and a file of them with torchvision's names."""
    with torch.device("meta"):
        layers = make_layers(cfgs["E"])
    layers = layers.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.normal_(0, 0.03, generator=generator)
    path = tmp_path_factory.mktemp("vgg") / "vgg19.pth"
    torch.save(
        {f"features.{n}": t for n, t in layers.state_dict().items()} | {"classifier.0.bias": torch.ones(2)}, path
    )
    return layers, path


def test_features_are_torchvisions_first_35_layers_of_normalised_rgb(vgg19) -> None:
    layers, path = vgg19
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    image = crops(2, 48)
    with torch.no_grad():
        expected = layers[:35]((image - mean.reshape(1, 3, 1, 1)) / std.reshape(1, 3, 1, 1))
        found = perceptual(str(path))(image)
    assert found.shape == (2, 512, 3, 3)
    assert (found < 0).any(), "before the ReLU"
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_features_alone_and_safetensors_are_read_too(vgg19, tmp_path) -> None:
    layers, path = vgg19
    save_file({n: t.contiguous() for n, t in layers.state_dict().items()}, tmp_path / "vgg19.safetensors")
    one, other = perceptual(str(path)), perceptual(str(tmp_path / "vgg19.safetensors"))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert "vgg19.safetensors" in other.description


@pytest.mark.parametrize("taps", [{"conv1_2": 0.1}, {"relu2_2": 1.0}, {"conv5_4": 1.0, "conv2_2": 0.1, "relu3_1": 0.5}])
def test_taps_are_torchvisions_layers_times_their_weights(vgg19, taps) -> None:
    layers, path = vgg19
    places = {"conv1_2": 2, "relu2_2": 8, "conv2_2": 7, "relu3_1": 11, "conv5_4": 34}  # by hand
    shift = torch.tensor([0.485, 0.456, 0.406]).reshape(1, 3, 1, 1)
    image = crops(1, 32)
    normal = (image - shift) / torch.tensor([0.229, 0.224, 0.225]).reshape(1, 3, 1, 1)
    features = perceptual(str(path), taps=taps)
    with torch.no_grad():
        expected = {name: layers[: places[name] + 1](normal) for name in taps}
        found = features(image)
    found = found if isinstance(found, tuple) else (found,)
    assert list(features.taps) == sorted(taps, key=places.__getitem__)
    for (name, weight), tapped in zip(features.taps.items(), found, strict=True):
        torch.testing.assert_close(tapped, weight * expected[name], rtol=1e-4, atol=1e-5)


def test_the_loss_of_several_layers_is_their_weighted_sum() -> None:
    from dbgan.train.losses import perceptual as loss

    one, other = crops(side=32), crops(2, 32)[1:]
    alone = {name: loss(perceptual("random", width=8, taps={name: 1.0}), one, other) for name in ("conv2_2", "relu4_1")}
    both = loss(perceptual("random", width=8, taps={"relu4_1": 2.0, "conv2_2": 0.25}), one, other)
    torch.testing.assert_close(both, 0.25 * alone["conv2_2"] + 2.0 * alone["relu4_1"], rtol=1e-5, atol=0)


def test_a_shallow_layer_takes_smaller_pictures_and_reads_no_deeper_weights() -> None:
    features = perceptual("random", width=4, taps={"conv2_1": 1.0})
    assert features.min_side == 2
    assert features(crops(side=2)).shape == (1, 8, 1, 1)
    assert len(features.layers) == 6
    assert "conv2_1" in features.description


@pytest.mark.parametrize("taps", [{}, {"conv2_3": 1.0}, {"conv5_4": 0.0}])
def test_layers_that_vgg19_lacks_and_weights_without_effect_are_refused(taps) -> None:
    with pytest.raises(ParamsError, match="expected layers of VGG19"):
        perceptual("random", width=4, taps=taps)


def test_random_features_are_those_of_the_first_version() -> None:
    """Equal parameters must give equal trainings: a recorded value."""
    with torch.no_grad():
        found = perceptual("random", width=8, seed=4)(calibration_picture())
    torch.testing.assert_close(
        found.flatten()[:3], torch.tensor([0.099481, -1.283126, -0.580588]), rtol=1e-4, atol=1e-5
    )


def test_weights_are_frozen_and_gradients_reach_the_picture() -> None:
    features = perceptual("random", width=8).train()
    image = crops().requires_grad_()
    features(image).square().sum().backward()
    assert image.grad is not None
    assert (image.grad != 0).all()
    assert not features.training
    assert not any(p.requires_grad for p in features.parameters())


@pytest.mark.parametrize("width", [8, 16, 64])
def test_random_features_have_unit_deviation(width) -> None:
    features = perceptual("random", width=width)
    with torch.no_grad():
        assert features(calibration_picture()).std().item() == pytest.approx(1.0, abs=1e-4)
    assert "random" in features.description
    assert "not ImageNet's" in features.description


def test_random_features_have_about_unit_deviation_on_photographs() -> None:
    from skimage.data import astronaut, coffee

    features = perceptual("random", width=16)
    for photograph in (astronaut(), coffee()):
        image = torch.from_numpy(photograph[100:228, 100:228].copy()).permute(2, 0, 1)[None] / 255.0
        assert 0.4 < features(image).std().item() < 2.5


def test_random_features_tell_blur_from_sharp_and_depend_on_the_seed_alone() -> None:
    torch.manual_seed(0)
    one = perceptual("random", width=8, seed=4)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    other = perceptual("random", width=8, seed=4)
    assert torch.equal(torch.get_rng_state(), state)
    image = crops(side=64)
    blurred = torch.nn.functional.avg_pool2d(image, 5, stride=1, padding=2)
    assert torch.equal(one(image), other(image))
    assert (one(image) - one(blurred)).abs().mean() > 0.05
    assert not torch.equal(one(image), perceptual("random", width=8, seed=5)(image))


def test_a_crop_under_four_poolings_is_refused() -> None:
    features = perceptual("random", width=4)
    assert features(crops(side=16)).shape == (1, 32, 1, 1)
    with pytest.raises(ValueError, match=r"at least 16x16 px, found shape \(1, 3, 15, 15\)(.|\n)*training.crop"):
        features(crops(side=15))


def test_another_width_than_vgg19s_is_refused_for_trained_weights() -> None:
    with pytest.raises(ParamsError, match="width is 64; found 16"):
        perceptual("imagenet", width=16)


def test_files_that_are_not_vgg19s_are_named(tmp_path) -> None:
    with pytest.raises(WeightsError, match=r"nowhere.pth: no such file(.|\n)*Next: "):
        perceptual(str(tmp_path / "nowhere.pth"))
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(WeightsError, match=r"text\.pth: cannot be read"):
        perceptual(str(tmp_path / "text.pth"))
    torch.save({"features.0.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"0.weight: expected \(64, 3, 3, 3\), found \(64, 3, 7, 7\)") as caught:
        perceptual(str(tmp_path / "other.pth"))
    assert "missing: 34.bias (512,)" in str(caught.value)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="expected a state dict of tensors, found list"):
        perceptual(str(tmp_path / "list.pth"))


BODY = b"made-up weights"


@pytest.fixture
def server(tmp_path, monkeypatch) -> Iterator[tuple[str, list[str]]]:
    """A local server of one made-up file; and the list of requests it had. Torch hub's folder is a fresh one."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            found = self.path == "/models/vgg19-made-up.pth"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(BODY) if found else 0))
            self.end_headers()
            self.wfile.write(BODY if found else b"")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/models/vgg19-made-up.pth", requests
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_weights_are_downloaded_once_into_torch_hubs_folder(server, tmp_path) -> None:
    url, requests = server
    digest = hashlib.sha256(BODY).hexdigest()
    path = imagenet_file(url=url, sha256=digest)
    assert path == tmp_path / "torch" / "hub" / "checkpoints" / "vgg19-made-up.pth"
    assert path.read_bytes() == BODY
    assert imagenet_file(url=url, sha256=digest) == path
    assert len(requests) == 1


def test_a_download_of_another_digest_never_enters_the_folder(server, tmp_path) -> None:
    url, _ = server
    with pytest.raises(WeightsError, match="expected sha256 0000"):
        imagenet_file(url=url, sha256="0" * 64)
    assert list((tmp_path / "torch" / "hub" / "checkpoints").iterdir()) == []


def test_a_damaged_file_in_the_folder_is_named_and_not_used(server) -> None:
    url, _ = server
    digest = hashlib.sha256(BODY).hexdigest()
    path = imagenet_file(url=url, sha256=digest)
    path.write_bytes(BODY[:-1])
    with pytest.raises(WeightsError, match=rf"expected sha256 {digest}, found(.|\n)*Next: remove it"):
        imagenet_file(url=url, sha256=digest)


def test_no_answer_says_how_to_go_on_offline(server) -> None:
    url, _ = server
    with pytest.raises(WeightsError, match=r"cannot download(.|\n)*put the file into(.|\n)*`random`"):
        imagenet_file(url=url.replace("made-up", "absent"), sha256="0" * 64)


def test_the_pinned_file_is_torchvisions() -> None:
    from torchvision.models import VGG19_Weights

    assert VGG19_Weights.IMAGENET1K_V1.url == VGG19_URL
    assert VGG19_URL.endswith(f"-{VGG19_SHA256[:8]}.pth")
    assert len(VGG19_SHA256) == 64
