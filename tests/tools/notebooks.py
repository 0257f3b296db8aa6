"""The notebooks of docs/notebooks: run, kept with what they print, and turned into pages.

    python tests/tools/notebooks.py run              # all of them, in a folder of their own
    python tests/tools/notebooks.py run own-model
    python tests/tools/notebooks.py check            # whether what they print is of their cells

A notebook keeps the hash of its cells beside its outputs, so that outputs of other cells are seen.
``docs_site`` shows the pages. MkDocs has plug-ins for that (mkdocs-jupyter); see DECISIONS.md.
"""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "notebooks"
LIMIT_S = 600
_OURS = "<div><p><strong>"
"""How the small table of a result of ours begins; HTML of others is not shown as it is."""

Notebook = dict[str, Any]


def read(path: Path) -> Notebook:
    """A notebook as its JSON."""
    document: Notebook = json.loads(path.read_text(encoding="utf-8"))
    return document


def digest(notebook: Notebook) -> str:
    """The hash of its cells, without what they print."""
    cells = [(cell["cell_type"], "".join(cell["source"])) for cell in notebook["cells"]]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def is_current(notebook: Notebook) -> bool:
    """Whether its outputs were printed by these cells."""
    return bool(notebook["metadata"].get("edgestill", {}).get("cells") == digest(notebook))


def run(path: Path, folder: Path) -> tuple[Notebook, float]:
    """Run a notebook's cells in a new kernel; the notebook with what they print, and the seconds.

    Args:
        path: the notebook.
        folder: where its cells write.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised; it names the cell.
    """
    import nbformat
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class OfThisUser(AsyncKernelManager):
        """Its sockets are files of this user: by TCP, whoever is on this machine reads along."""

        def __init__(self, **given: Any) -> None:
            super().__init__(**{**given, "transport": "ipc", "ip": str(folder / ".kernel")})

    notebook = nbformat.read(path, as_version=4)
    began = time.monotonic()
    NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=OfThisUser,
        timeout=LIMIT_S,
        resources={"metadata": {"path": str(folder)}},
        coalesce_streams=True,
    ).execute()
    took = time.monotonic() - began
    document: Notebook = json.loads(nbformat.writes(notebook))
    for cell in document["cells"]:
        cell["metadata"] = {}
    metadata = document["metadata"]
    metadata["language_info"] = {"name": "python"}
    metadata["edgestill"] = {"cells": digest(document)}
    return document, took


def write(notebook: Notebook, path: Path) -> None:
    """Write a notebook as it is kept."""
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(f"{text}\n", encoding="utf-8")


def page(notebook: Notebook, name: str) -> str:
    """The notebook as a page in Markdown."""
    parts = []
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        parts += [shown for output in cell["outputs"] for shown in _output(output)]
    download = f'<a href="notebooks/{name}.ipynb" download>Download this page as a notebook.</a>'
    head, *rest = parts
    return "\n\n".join([head, download, *rest]) + "\n"


def _output(output: dict[str, Any]) -> Iterator[str]:
    """What a cell printed, as Markdown; a small table of ours as HTML."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    html = "".join(data.get("text/html", ""))
    text = "".join(data.get("text/plain", "")).rstrip("\n")
    if html.startswith(_OURS):
        yield html
    elif text and not text.startswith("<Figure"):
        yield f"```text\n{text}\n```"


def main(words: list[str]) -> int:
    """Run the notebooks that are named, or check all of them."""
    paths = sorted(FOLDER.glob("*.ipynb"))
    if words[:1] == ["check"]:
        old = [path.name for path in paths if not is_current(read(path))]
        for name in old:
            print(f"{name}: its outputs are not of its cells; make notebooks runs it")
        return 1 if old else 0
    for path in paths:
        if words[1:] and path.stem not in words[1:]:
            continue
        with tempfile.TemporaryDirectory(prefix="edgestill-") as folder:
            notebook, took_s = run(path, Path(folder))
        write(notebook, path)
        print(f"{path.name}: {took_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
