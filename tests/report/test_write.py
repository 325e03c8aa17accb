"""theory-report/: whole files, one run at a time, and clear words when it cannot be written."""

import multiprocessing
import os
import signal
import stat
import threading
from pathlib import Path

import pytest
from made import record, report

from theory_checks.report import write as writing
from theory_checks.report.document import read_report
from theory_checks.report.write import begin, reserve, write, write_whole


def test_everything_is_written(tmp_path: Path) -> None:
    written = report(record(), record("R.2", "violated"))
    with reserve(tmp_path / "a" / "b"):
        write(written, tmp_path / "a" / "b")
    assert {path.name for path in (tmp_path / "a" / "b").iterdir()} == {
        ".lock",
        "report.json",
        "summary.md",
        "index.html",
    }
    assert read_report(tmp_path / "a" / "b").to_json() == written.to_json()
    assert "R.2 violated" in (tmp_path / "a" / "b" / "summary.md").read_text()
    assert "R.2" in (tmp_path / "a" / "b" / "index.html").read_text()


def test_a_run_that_begins_leaves_nothing_of_an_earlier_one(tmp_path: Path) -> None:
    write(report(record()), tmp_path)
    begin(report(record("R.2", "not run"), complete=False), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json"}
    assert [r.id for r in read_report(tmp_path).records] == ["R.2"]


def test_a_file_is_whole_at_any_time(tmp_path: Path) -> None:
    """A reader that looks all the time sees one text or the other."""
    path, texts, seen = tmp_path / "report.json", ("a" * 500_000, "b" * 700_000), set()
    write_whole(path, texts[0])
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=look)
    reader.start()
    for i in range(60):
        write_whole(path, texts[i % 2])
    done.set()
    reader.join()
    assert seen <= set(texts)
    assert len(seen) == 2


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_whole(tmp_path / "summary.md", "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        write_whole(tmp_path / "summary.md", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["summary.md"]
    assert (tmp_path / "summary.md").read_text() == "old"


def test_what_is_no_text_is_written_as_an_escape(tmp_path: Path) -> None:
    write_whole(tmp_path / "summary.md", "file \udcff")
    assert (tmp_path / "summary.md").read_text() == "file \\udcff"


@pytest.mark.parametrize("name", ["report.json", "summary.md", "index.html"])
def test_a_file_that_cannot_be_written_is_named_and_the_others_are_written(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()  # in the place of the file
    (problem,) = write(report(record()), tmp_path)
    assert problem.startswith(f"{tmp_path / name} could not be written")
    assert problem.endswith("(Is a directory)")
    assert all(
        (tmp_path / other).is_file()
        for other in {"report.json", "summary.md", "index.html"} - {name}
    )


def test_a_page_that_fails_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theory_checks.report.page.render", lambda *given: {}["no such key"])
    assert write(report(record()), tmp_path) == [
        f"{tmp_path / 'index.html'} could not be written (KeyError: 'no such key')"
    ]
    assert (tmp_path / "summary.md").is_file()


def test_a_run_goes_on_where_its_beginning_cannot_be_written(tmp_path: Path) -> None:
    for name in ("report.json", "summary.md", "index.html"):
        (tmp_path / name).mkdir()
    begin(report(record("R.2", "not run"), complete=False), tmp_path)
    assert all(path.is_dir() for path in tmp_path.iterdir())


def test_files_can_be_read_by_whom_the_user_lets(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "summary.md", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "summary.md").stat().st_mode) == 0o644


def hold(directory: Path, ready: "multiprocessing.synchronize.Event") -> None:
    lock = reserve(directory)
    ready.set()
    signal.pause()
    lock.release()


def test_a_directory_belongs_to_one_run_until_that_ends_however_it_ends(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    other = context.Process(target=hold, args=(tmp_path, ready))
    other.start()
    try:
        assert ready.wait(60)
        with pytest.raises(ValueError, match="another run is writing its report there"):
            reserve(tmp_path)
    finally:
        other.kill()
        other.join()
    reserve(tmp_path).release()


def test_a_directory_that_cannot_be_written_to_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    for directory in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/theory-report")):
        with pytest.raises(ValueError, match=f"{directory}: cannot be written to"):
            reserve(directory)

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "write_whole", full)
    with pytest.raises(ValueError, match=r"cannot be written to \(No space left on device\)"):
        reserve(tmp_path)
