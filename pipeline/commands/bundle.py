"""``edgestill bundle``: what is handed over of a run."""

from pathlib import Path

import click

from . import names
from .shared import Invocation, command, print_result


@command(
    examples=(
        "edgestill bundle RUN",
        "edgestill bundle RUN --format litert --zip",
    )
)
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    multiple=True,
    metavar="FORMAT",
    shell_complete=names.formats,
    help="Bundle every READY package in this format, such as litert; can be repeated. Default: the "
    "packages of what ships.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The folder or zip to write; default: NAME-bundle here. It must not exist.",
)
@click.option("--zip", "zipped", is_flag=True, help="Write a zip; implied by --out FILE.zip.")
@click.option(
    "--inspect",
    "inspection",
    is_flag=True,
    help="Bundle what is not READY as well, marked as for inspection only.",
)
@click.pass_obj
def bundle(
    invocation: Invocation,
    run: Path,
    formats: tuple[str, ...],
    out: Path | None,
    zipped: bool,
    inspection: bool,
) -> None:
    """Write what is handed over of RUN: a folder or a zip.

    RUN is a run's folder, or a name, whose last build it is. The bundle holds models, labels,
    preprocessing, golden inputs and outputs, a model card, provenance and programs that run the
    models. Where nothing is READY, nothing is written, and the exit code is that of the verdict.
    """
    from ..api.bundle import bundle as write

    bundled = write(run, out, formats=formats, zipped=zipped, inspection=inspection)
    manifest = bundled.manifest
    lines = [f"{one.model}: {one.outcome}, {one.why}" for one in manifest.packages]
    if manifest.inspection:
        lines.append("for inspection only: not all of it is READY")
    print_result(invocation, bundled.to_dict(), *lines, f"bundle: {bundled.path}")
