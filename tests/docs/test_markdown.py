"""What the Markdown files say is true: code compiles, marked blocks run, links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
RUN_SECONDS = 60
FENCE = re.compile(r"^(?P<marker><!-- run -->\n+)?```(?P<kind>\w*)[^\n]*\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s]+)[^)]*\)")


@dataclass(frozen=True)
class Block:
    """One fenced block: where it starts, its language, and whether it is marked to be run."""

    place: str
    kind: str
    code: str
    run: bool


def blocks_of(text: str, name: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    return [
        Block(
            place=f"{name}:{text.count(chr(10), 0, match.start('kind')) + 1}",
            kind=match["kind"],
            code=match["code"],
            run=match["marker"] is not None,
        )
        for match in FENCE.finditer(text)
    ]


def dead_links(page: Path, text: str) -> list[str]:
    """Return the links of a page that lead into the repository and find nothing there."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    dead = []
    for match in LINK.finditer(prose):
        path, _, anchor = unquote(match["target"]).partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(REPOSITORY):
            dead.append(match["target"])
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text("utf-8")):
            dead.append(match["target"])
    return dead


def anchors(text: str) -> set[str]:
    """Return the names that a page's headings can be linked by."""
    headings = re.findall(r"^#{1,6} +(.+?)\s*$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def run_block(block: Block) -> "subprocess.CompletedProcess[str]":
    """Run a block from the root of the repository, with ``python`` being this Python."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = [sys.executable, "-c"] if block.kind == "python" else ["sh", "-e", "-c"]
    return subprocess.run(
        [*command, block.code],
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )


def test_every_python_block_compiles(pages: list[Path]) -> None:
    for page in pages:
        for block in blocks_of(page.read_text("utf-8"), str(page.relative_to(REPOSITORY))):
            if block.kind == "python":
                compile(block.code, block.place, "exec")


@pytest.mark.time_limit(600)
def test_every_marked_block_runs(pages: list[Path]) -> None:
    blocks = [block for page in pages for block in blocks_of(page.read_text("utf-8"), str(page)) if block.run]
    assert blocks
    for block in blocks:
        assert block.kind in ("python", "sh"), block.place
        done = run_block(block)
        assert done.returncode == 0, f"{block.place}\n{done.stdout}\n{done.stderr}"


def test_every_link_into_the_repository_leads_somewhere(pages: list[Path]) -> None:
    dead = {str(page): dead_links(page, page.read_text("utf-8")) for page in pages}
    assert {page: links for page, links in dead.items() if links} == {}


def test_every_folder_of_code_has_a_page(files: list[Path]) -> None:
    folders = {file.parent for file in files if file.suffix == ".py" and file.parent.parent == REPOSITORY}
    wanted = {folder for folder in folders if folder.name not in ("tests", ".ci", "src")}
    assert wanted and sorted(str(folder) for folder in wanted if not (folder / "README.md").is_file()) == []


SAMPLE = """# A title, with: signs

<!-- run -->
```python
print("a")
```

```python
raise SystemExit(3)
```

<!-- run -->

```sh
python -c 'raise SystemExit(5)'
```

[good](README.md) [good](#a-title-with-signs) [good](https://example.org/x) [bad](gone.md) ![bad](gone.png "x")
[bad](#gone) [bad](README.md#gone) `[code](gone.md)` [bad](../../outside.md)
"""


def test_blocks_are_found_with_place_and_mark() -> None:
    found = [(block.place, block.kind, block.run) for block in blocks_of(SAMPLE, "a.md")]
    assert found == [("a.md:4", "python", True), ("a.md:8", "python", False), ("a.md:14", "sh", True)]


def test_a_block_that_fails_is_seen() -> None:
    codes = [run_block(block).returncode for block in blocks_of(SAMPLE, "a.md")]
    assert codes == [0, 3, 5]


def test_dead_links_are_found(tmp_path: Path) -> None:
    page = REPOSITORY / "SAMPLE.md"
    assert dead_links(page, SAMPLE.replace("#a-title-with-signs", "README.md")) == [
        "gone.md",
        "gone.png",
        "#gone",
        "README.md#gone",
        "../../outside.md",
    ]
    assert anchors(SAMPLE) == {"a-title-with-signs"}
