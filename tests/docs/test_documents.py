"""Every command and snippet of the documents runs, or is on the list of those that are only parsed.

A document is read from top to bottom in a folder of its own. The fences say what a block is:

- bash: commands, one a line, each of which must end with status 0, or N where a comment says
  `exits with N`;
- python: a script, or, where its first line names a file, the content of that file;
- text: output of the block before; of commands with other numbers, of Python literally;
- yaml: a workflow, whose commands are parsed.
"""

import argparse
import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn
from unittest import mock

import pytest

from theory_checks.checking.profiles import PROFILES

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "examples/*.md")
    for path in ROOT.glob(pattern)
)
# Documents and sections that are read in an empty folder, as by a user without a clone; everything
# else is read in a copy of the clone.
WITHOUT_CLONE = (
    "docs/tutorial.md",
    "docs/statistics.md",
    "docs/report.md",
    "docs/extending.md#a-claim-in-your-own-repository",
)

CI = "done by .ci/run"
INDEX = "needs a package index; done by .ci/run"
LONG = "takes more than a minute"
# Commands that are not run, with the reason. Options and paths in them are checked all the same.
ONLY_PARSED = {
    "pip install -c constraints.txt -e . && pytest -n auto theory_checks/": CI,
    "pip install -c constraints.txt -e '.[test]' && pytest -n auto tests/": CI,
    "pip install -c constraints.txt -e .": INDEX,
    "pip install -c constraints.txt -e '.[test]'": INDEX,
    "pip wheel --no-deps -w dist .": INDEX,
    "pip install dist/*.whl": INDEX,
    "pytest -n auto theory_checks/ --theory-subject my_variant:GAUSSIAN": LONG,
    "pytest -n auto theory_checks/ --theory-profile quick": LONG,
    "python benchmarks/coarse_steps.py": LONG,
    "pytest -n auto tests/": CI,
    "theory-checks check --profile quick --report reports/all": LONG,
    "mypy": CI,
    ".ci/run": "this test is part of it",
    "pre-commit install": "pre-commit is not among the requirements",
    "theory-checks blame --against HEAD": "the copy is no git repository",
    "git config blame.ignoreRevsFile .git-blame-ignore-revs": "the copy is no git repository",
}

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
STATUS = re.compile(r"\s+# exits with (\d+)$")
NUMBER = re.compile(r"-?\d+(\.\d+)?(e-?\d+)?")
AT_END = re.compile(r"# at the end of (\S+)\n")
IN_PLACE = re.compile(r"# (\S+), in place of (\w+)\n")
NEW_FILE = re.compile(r"# (\S+\.py)\n")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block of a document.

    language: what the fence says.
    text: the lines between the fences.
    line: of the opening fence.
    section: the heading that it stands under, as links name it.
    """

    language: str
    text: str
    line: int
    section: str

    @property
    def commands(self) -> list[str]:
        """The commands of a block of bash."""
        return [line for line in self.text.replace("\\\n", " ").splitlines() if line.strip()]


def blocks(document: str) -> list[Block]:
    """The fenced blocks of a document."""
    text = (ROOT / document).read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        before = text[: match.start()]
        sections = ["", *headings_of(before)]
        found.append(Block(match[1], match[2], 1 + before.count("\n"), sections[-1]))
    return found


def headings_of(text: str) -> list[str]:
    """The headings of a text in its order, as links name them."""
    titles = HEADING.findall(FENCE.sub("", text))
    return [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


def all_commands() -> Iterator[str]:
    """The commands of all documents, without comments about their status."""
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language == "bash":
                yield from (STATUS.sub("", command) for command in block.commands)


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if blocks(d)])
def test_what_a_document_says_can_be_done(document: str, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    copy_of_clone(clone)
    empty = tmp_path / "empty"
    empty.mkdir()
    printed = ""
    for before, block in zip([None, *blocks(document)], blocks(document), strict=False):
        without = {document, f"{document}#{block.section}"} & set(WITHOUT_CLONE)
        folder = empty if without else clone
        try:
            if block.language == "bash":
                printed = "".join(run_command(command, folder, clone) for command in block.commands)
            elif block.language == "python":
                printed = run_python(block.text, folder, clone)
            elif block.language == "yaml":
                check_workflow(block.text)
            elif block.language == "text":
                assert before is not None
                compare_output(block.text, printed, literally=before.language == "python")
            else:
                pytest.fail(f"a fence says {block.language!r}: needs bash, python, text or yaml")
        except (AssertionError, pytest.fail.Exception) as error:
            raise AssertionError(f"{document}:{block.line}: {error}") from None


def copy_of_clone(to: Path) -> None:
    """A copy of the files that belong to the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in listed.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def environment(clone: Path) -> dict[str, str]:
    """That of a shell in which this environment is active and the clone is installed."""
    inherited = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    scripts = str(Path(sys.executable).parent)
    return {
        **inherited,
        "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
        "PYTHONPATH": str(clone),
        "COLUMNS": "120",
    }


def run_command(line: str, folder: Path, clone: Path) -> str:
    """What a command prints. Fails if it ends with another status than the line says."""
    command = STATUS.sub("", line)
    if command in ONLY_PARSED:
        for part in command.split(" && "):
            parse(part, clone)
        return ""
    said = STATUS.search(line)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment(clone),
        capture_output=True,
        text=True,
        timeout=300,
    )
    expected = int(said[1]) if said else 0
    assert done.returncode == expected, (
        f"{command}: status {done.returncode}, not {expected}\n{end_of(done)}"
    )
    return done.stdout


def end_of(done: subprocess.CompletedProcess[str]) -> str:
    """The last lines of what a command printed, for a message."""
    return "\n".join([*done.stdout.splitlines()[-20:], *done.stderr.splitlines()[-20:]])


def run_python(text: str, folder: Path, clone: Path) -> str:
    """Puts a block into the file that it belongs to, or runs it and returns what it prints."""
    if match := AT_END.match(text):
        path = folder / match[1]
        path.write_text(f"{path.read_text()}\n\n{text[match.end() :]}")
    elif match := IN_PLACE.match(text):
        path = folder / match[1]
        path.write_text(with_statement(path.read_text(), match[2], text[match.end() :]))
    elif match := NEW_FILE.match(text):
        path = folder / match[1]
        path.write_text(text)
    else:
        done = subprocess.run(
            [sys.executable, "-"],
            input=text,
            cwd=folder,
            env=environment(clone),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
    compile(path.read_text(), path, "exec")
    return ""


def with_statement(source: str, name: str, new: str) -> str:
    """The source with a new text in place of the statement that assigns to a name."""
    for node in ast.parse(source).body:
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            lines = source.splitlines(keepends=True)
            return "".join([*lines[: node.lineno - 1], new, *lines[node.end_lineno :]])
    pytest.fail(f"no statement assigns to {name}")


def compare_output(shown: str, printed: str, *, literally: bool) -> None:
    """Fails unless every shown line was printed; one that ends with an ellipsis only so far."""

    def comparable(line: str) -> str:
        return line if literally else " ".join(NUMBER.sub("#", line).split())

    lines = [comparable(line) for line in printed.splitlines()]
    for line in shown.splitlines():
        start, ellipsis, _ = comparable(line).partition("…")
        assert any(p.startswith(start) if ellipsis else p == start for p in lines), (
            f"was not printed: {line}\nbut:\n{printed}"
        )


def parse(command: str, clone: Path) -> None:
    """Fails if a command could not even start: unknown options, missing files."""
    subprocess.run(["bash", "-n", "-c", command], check=True)
    program, *arguments = shlex.split(command)
    if program == "pytest":
        collect(arguments, clone)
    elif program == "theory-checks":
        parse_theory_checks(arguments)
    elif program.startswith("."):
        subprocess.run(["bash", "-n", clone / program], check=True)
    for argument in arguments:
        if program in ("pip", "git") and argument.endswith((".txt", "-revs")):
            assert (clone / argument).is_file(), f"{command}: {argument} is missing"


def collect(arguments: Sequence[str], clone: Path) -> None:
    """Fails if pytest refuses the arguments or finds nothing to run."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments, "-n", "0", "--collect-only", "-q"],
        cwd=clone,
        env=environment(clone),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"pytest {shlex.join(arguments)}: {end_of(done)}"


def parse_theory_checks(arguments: Sequence[str]) -> None:
    """Fails if theory-checks refuses the arguments; runs no command."""
    from theory_checks.__main__ import main

    class Understood(Exception):
        """The arguments were parsed."""

    parse_args = argparse.ArgumentParser.parse_args

    def only_parse(parser: argparse.ArgumentParser, *given: list[str]) -> NoReturn:
        parse_args(parser, *given)
        raise Understood

    with mock.patch.object(argparse.ArgumentParser, "parse_args", only_parse):
        try:
            main(arguments)
        except (Understood, SystemExit) as end:
            understood = isinstance(end, Understood)
        else:
            understood = False
    assert understood, f"theory-checks refuses {shlex.join(arguments)}"


def check_workflow(text: str) -> None:
    """Fails if a command of a workflow cannot be parsed, apart from GitHub's expressions."""
    commands = re.findall(r"^ +(?:- )?run: (.+)$", text, re.MULTILINE)
    assert commands, "a workflow without a command"
    for command in commands:
        if command.startswith("pytest"):
            assert "--theory-baseline" in command, f"compares with no baseline: {command}"
        plain = re.sub(r"\$\{\{.*?\}\}", "", command)
        subprocess.run(["bash", "-n", "-c", plain], check=True)
        for options in re.findall(r"python -m theory_checks ([\w -]+)", plain):
            parse_theory_checks(options.split())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_fence_is_overlooked(document: str) -> None:
    lines = (ROOT / document).read_text(encoding="utf-8").splitlines()
    fences = [line for line in lines if line.lstrip().startswith(("```", "~~~"))]
    assert len(fences) == 2 * len(blocks(document))


def test_the_list_has_no_command_that_no_document_has() -> None:
    assert set(ONLY_PARSED) <= set(all_commands())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = FENCE.sub("", (ROOT / document).read_text(encoding="utf-8"))
    broken = [
        link
        for link in LINK.findall(text)
        if "://" not in link and not leads_somewhere(ROOT / document, link)
    ]
    assert not broken


def leads_somewhere(page: Path, link: str) -> bool:
    """Whether a relative link on a page names a file or folder and, after a #, a heading in it."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in headings(target))


@cache
def headings(path: Path) -> set[str]:
    """The headings of a document, as links name them."""
    return set(headings_of(path.read_text(encoding="utf-8")))


def test_every_place_without_a_clone_exists() -> None:
    assert [
        place for place in WITHOUT_CLONE if not leads_somewhere(ROOT / "README.md", place)
    ] == []


def test_documents_name_only_options_that_exist() -> None:
    known = options_shown()
    named = {
        (document, option)
        for document in DOCUMENTS
        for option in re.findall(r"--theory-[a-z]+", (ROOT / document).read_text(encoding="utf-8"))
    }
    assert sorted((d, option) for d, option in named if option not in known) == []


def options_shown() -> set[str]:
    """The options of the theory checks that `pytest --help` shows."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--help"],
        cwd=ROOT,
        env=environment(ROOT),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(re.findall(r"--theory-[a-z]+", done.stdout))


def test_the_number_of_inputs_in_each_profile_is_as_described() -> None:
    text = " ".join((ROOT / "docs/extending.md").read_text(encoding="utf-8").split())
    quick, deep = PROFILES["quick"].inputs, PROFILES["deep"].inputs
    assert f"quick by {quick:g}, deep by {deep:g}" in text
    assert (round(10 * quick), round(10 * deep)) == (3, 40)
    assert "With `examples=10`, quick tries three inputs, standard ten and deep forty" in text


@pytest.mark.parametrize("document", DOCUMENTS)
def test_code_that_a_document_names_exists(document: str) -> None:
    text = FENCE.sub("", (ROOT / document).read_text(encoding="utf-8"))
    if document == "CHANGELOG.md":
        text = re.sub(r"^\| `.*?` ?\|", "|", text, flags=re.MULTILINE)
    paths = re.findall(r"`((?:core|theory_checks|tests|docs|examples|benchmarks)/[\w./]*)`", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_path_of_a_machine(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert not re.findall(r"(?<![\w.])/(?:home|root|tmp|work|Users|opt)\b\S*", text)


def test_the_readme_is_short_and_has_the_two_commands_once() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 150
    assert [line for line in lines if re.match(r"pip install -c .* && pytest ", line)] == [
        "pip install -c constraints.txt -e . && pytest -n auto theory_checks/",
        "pip install -c constraints.txt -e '.[test]' && pytest -n auto tests/",
    ]
