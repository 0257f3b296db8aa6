"""The toolchains, one row each."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

COMMAND = "edgestill toolchains setup"
_REQUIREMENTS = Path(__file__).with_name("requirements")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """One environment.

    Attributes:
        name: as users type it; its requirements are `requirements/<name>.txt`.
        title: what it brings, in a few words.
        modules: what it can import; all of them make it usable.
        download_mib: about what `setup` downloads and unpacks, MiB on disk.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    download_mib: int

    @property
    def requirements(self) -> Path:
        """Its pinned requirements, one tested set."""
        return _REQUIREMENTS / f"{self.name}.txt"

    @property
    def closed(self) -> bool:
        """Whether the pins are all that it needs.

        Where an index has no CPU build of torch, torch needs CUDA libraries beside the pins.
        """
        lines = self.requirements.read_text(encoding="utf-8").splitlines()
        return not any(line.startswith("torch==") for line in lines)


_ALL = (
    Toolchain(
        "litert",
        "LiteRT: .tflite files, converted and run",
        ("litert_torch", "ai_edge_litert"),
        2100,
    ),
    Toolchain("openvino", "OpenVINO: IR files, converted and run", ("openvino",), 280),
    Toolchain("executorch", "ExecuTorch: .pte files, converted and run", ("executorch",), 1500),
    Toolchain("ncnn", "ncnn: .param and .bin files, converted and run", ("ncnn", "pnnx"), 1000),
    Toolchain(
        "tflite-micro", "TensorFlow Lite Micro: the arena of a model", ("tflite_micro",), 105
    ),
)
TOOLCHAINS: Mapping[str, Toolchain] = {toolchain.name: toolchain for toolchain in _ALL}
"""By name, in the order in which they are listed."""
