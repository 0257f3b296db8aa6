"""What stages report where nothing is shown."""

from edgestill.pipeline.progress.reported import Silent, measuring


def test_silence_keeps_warnings_alone(capsys):
    progress = Silent()
    with progress.steps("x", 2) as steps:
        steps.advance("a")
    progress.note("b")
    progress.warn("c")
    with measuring(progress, 1) as on_process:
        on_process(1, 1, "fp32")
        on_process(2, 1, "fp32")
    assert progress.warnings == ["c"]
    assert capsys.readouterr() == ("", "")
