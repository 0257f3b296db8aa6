"""The finished ``.onnx`` file as a package: nothing is converted."""

from .package import File, Job, NotCarried, Package


def packages(job: Job) -> dict[str, Package | NotCarried]:
    """Describe the ``.onnx`` files, which are measured and judged as they are."""
    return {
        model.name: Package(
            format="onnx",
            title="ONNX Runtime",
            suffix=".onnx",
            model=File.of(model.onnx),
            runtime="onnxruntime",
            answers_hold=True,
        )
        for model in job.models
    }
