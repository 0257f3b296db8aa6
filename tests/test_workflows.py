"""The workflows as actionlint reads them: keys, expressions, contexts; the shell of each step."""

import json
import re
import subprocess
from pathlib import Path

import node_tools
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = [*sorted((ROOT / ".github/workflows").glob("*.yml")), ROOT / "docs/ci/github.yml"]
NEWER = (
    re.compile(r'unknown permission scope "attestations"'),
    re.compile(r'undefined variable "vars"'),
)
"""What GitHub has and this build of actionlint does not know yet."""
LINT = """
import { createLinter } from "%s/actionlint/node.mjs";
import { readFileSync } from "node:fs";
const path = process.argv[2];
const lint = await createLinter();
console.log(JSON.stringify(lint(readFileSync(path, "utf8"), path)));
process.exit(0);
"""


def found(path, folder):
    """What actionlint says of a workflow, each with its line."""
    script = folder / "lint.mjs"
    script.write_text(LINT % node_tools.modules_with(node_tools.ACTIONLINT))
    code, text = node_tools.run(script, str(path), folder=folder)
    assert code == 0, text
    said = [f"{one['line']}: {one['message']}" for one in json.loads(text)]
    return [one for one in said if not any(newer.search(one) for newer in NEWER)]


@pytest.mark.slow
@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actionlint_finds_nothing(path, tmp_path):
    assert found(path, tmp_path) == []


@pytest.mark.slow
def test_actionlint_finds_what_is_wrong(tmp_path):
    path = tmp_path / "wrong.yml"
    text = WORKFLOWS[0].read_text()
    path.write_text(text.replace("matrix.python", "matrix.pithon").replace("timeout-m", "time-m"))
    said = "".join(found(path, tmp_path))
    assert '"pithon" is not defined' in said
    assert 'unexpected key "time-minutes"' in said


def steps():
    for path in WORKFLOWS:
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            yield from (step["run"] for step in job["steps"] if "run" in step)


def test_the_shell_of_every_step_can_be_read():
    for step in steps():
        plain = re.sub(r"\$\{\{.*?\}\}", "x", step)
        read = subprocess.run(["bash", "-n"], input=plain, text=True, capture_output=True)
        assert read.returncode == 0, f"{step}: {read.stderr}"
