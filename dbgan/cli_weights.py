"""`dbgan weights ...`: look at weight files, take those of other programs, give them to others.

torch is imported inside the verbs, so that `dbgan --help` answers at once.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dbgan.console import print_facts
from dbgan.errors import DbganError

if TYPE_CHECKING:
    from torch import Tensor

weights_app = typer.Typer(no_args_is_help=True, help="Look at trained weights, import and export them.")

WeightsFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="safetensors file")]


class Format(StrEnum):
    """What `dbgan weights export` writes."""

    onnx = "onnx"


@weights_app.command("info")
def weights_info(file: WeightsFile) -> None:
    """Architecture, size and digest of a weights file."""
    from dbgan.files import sha256_file
    from dbgan.networks import load_weights, parameter_count

    network = load_weights(file)
    facts = {**network.architecture, "parameters": f"{parameter_count(network):,}", "sha256": sha256_file(file)}
    if hasattr(network, "receptive_radius"):
        facts["receptive radius"] = f"{network.receptive_radius} px"
    print_facts(facts)


@weights_app.command("import")
def weights_import(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="checkpoint: .pth, .pt or .safetensors")],
    out: Annotated[Path, typer.Argument(dir_okay=False, help="safetensors file to write")],
) -> None:
    """Turn a checkpoint of another program into a weights file: the released DBGAN, NAFNet as published, or an RRDBNet
    of BasicSR or ESRGAN without upsampling. Networks that enlarge their picture are refused."""
    from dbgan.files import sha256_file
    from dbgan.networks import parameter_count, save_weights
    from dbgan.networks.foreign import import_weights

    if out.suffix != ".safetensors":
        raise typer.BadParameter(f"{out}: expected a name that ends in .safetensors", param_hint="OUT")
    taken = import_weights(file)
    save_weights(out, taken.network)
    print_facts(
        {
            "names of": taken.naming,
            "tensors": taken.tensors,
            **taken.network.architecture,
            "parameters": f"{parameter_count(taken.network):,}",
            "sha256 of the checkpoint": sha256_file(file),
            "sha256": sha256_file(out),
        }
    )


@weights_app.command("export")
def weights_export(
    file: WeightsFile,
    out: Annotated[Path, typer.Argument(dir_okay=False, help="file to write, such as dbgan.onnx")],
    to: Annotated[Format, typer.Option("--to", help="format")],
    picture: Annotated[
        list[Path] | None,
        typer.Option(exists=True, dir_okay=False, help="compare on this picture too; may be given several times"),
    ] = None,
) -> None:
    """Write a generator for other programs, any height and width, checked by running it (needs the extra `onnx`)."""
    from dbgan.image.codec import decode
    from dbgan.networks import Generator, load_weights
    from dbgan.networks.export import export_onnx
    from dbgan.networks.features import calibration_picture
    from dbgan.restore import to_tensor

    network = load_weights(file)
    if not isinstance(network, Generator):
        raise DbganError(f"{file}: expected the weights of a generator, found a {network.architecture['network']}.")
    fixed = calibration_picture(80)
    pictures: list[Tensor] = [fixed[..., :64, :80], fixed[..., :53, :39]]
    pictures += [to_tensor(decode(path.read_bytes())).contiguous() for path in picture or ()]
    done = export_onnx(network, out, pictures)
    print_facts(
        {
            "written": done.path,
            "compared with torch at": ", ".join(f"{width}x{height}" for height, width in done.sizes) + " px",
            "largest difference": f"{done.difference:.2g} of [0, 1]",
        }
    )
