"""What is done is kept: a sweep that was killed goes on, and ends with the frame of one that was not."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from math import inf
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from numakit.experiments import Generated, ResultsError, Sweep, Trial
from numakit.experiments.results import ResultsFile
from numakit.experiments.trial import KEYS, MEASURES, described
from numakit.trace import Profiler, Stay
from tests.clone import ROOT
from tests.experiments.sweeps import small_sweep

#: Runs the sweep and ends itself, without a farewell, while it writes the result number `dies_at`.
CHILD = """
import os, sys
from concurrent.futures import ProcessPoolExecutor
from numakit.experiments.results import ResultsFile
from tests.experiments.sweeps import small_sweep

path, dies_at, half_a_line, workers = sys.argv[1], *map(int, sys.argv[2:])
written, append = [], ResultsFile.append

def append_or_die(self, trial, row):
    written.append(trial)
    if len(written) == dies_at:
        os.write(self.file, b'{"machine": "ri' * half_a_line)
        os._exit(9)
    append(self, trial, row)

ResultsFile.append = append_or_die
executor = ProcessPoolExecutor(workers) if workers else None
small_sweep().run(path, executor, progress=False)
"""


def killed_run(path: Path, dies_at: int, half_a_line: int, workers: int) -> None:
    """Let a child begin the sweep and die."""
    command = [sys.executable, "-c", CHILD, str(path), str(dies_at), str(half_a_line), str(workers)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True) as child:
        try:
            assert child.wait(timeout=60) == 9
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # a pool's workers outlive its owner


def counted(sweep: Sweep, path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Run the sweep; the trials that were played."""
    played: list[str] = []
    play = Trial.play

    def counting(trial: Trial) -> dict[str, float]:
        played.append(str(trial))
        return play(trial)

    monkeypatch.setattr(Trial, "play", counting)
    sweep.run(path, progress=False)
    return played


@pytest.mark.parametrize(("half_a_line", "workers"), [(0, 0), (1, 0), (1, 2)])
def test_a_killed_sweep_goes_on_and_ends_with_the_frame_of_an_undisturbed_one(
    half_a_line: int, workers: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed twice, between two writes or within one; what was done is not done again."""
    path, sweep = tmp_path / "results.jsonl", small_sweep()
    killed_run(path, 5, half_a_line, workers)
    assert len(sweep.frame(path)) == 4
    killed_run(path, 4, half_a_line, workers)
    assert len(sweep.frame(path)) == 7
    assert len(counted(sweep, path, monkeypatch)) == 5
    assert_frame_equal(sweep.frame(path), sweep.run(progress=False), check_exact=True)
    assert len(path.read_text().splitlines()) == 12


def test_each_line_is_on_the_disc_before_the_next_trial_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that loses its power loses no line that was written before."""
    synced: list[bytes] = []
    path = tmp_path / "results.jsonl"
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(path.read_bytes()))
    small_sweep().run(path, progress=False)
    assert [kept.count(b"\n") for kept in synced] == list(range(1, 13))
    assert all(kept.endswith(b"\n") for kept in synced)


def test_a_sweep_that_grew_plays_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More random seeds into the same file; a smaller sweep finds its rows there, too."""
    path = tmp_path / "results.jsonl"
    small_sweep().run(path, progress=False)
    assert len(counted(small_sweep(random_seeds=range(4)), path, monkeypatch)) == 4
    assert counted(small_sweep(random_seeds=[3]), path, monkeypatch) == []


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        (
            {"policies": {"stay": Stay(), "profiler": Profiler(threshold=8)}},
            "policy was 'Profiler.threshold=4.' and",
        ),
        ({"epoch": 50}, "epoch was '100' and is '50'"),
        ({"workloads": {1: Generated("zipf", pages=8, accesses=400)}}, "workload was .*; take another file"),
    ],
)
def test_results_of_other_settings_are_never_taken_for_those_of_this_sweep(
    axes: dict[str, object], told: str, tmp_path: Path
) -> None:
    """A policy of the same name that was changed in between, for example; the file is left alone."""
    path = tmp_path / "results.jsonl"
    small_sweep().run(path, progress=False)
    before = path.read_bytes()
    with pytest.raises(ResultsError, match=told):
        small_sweep(**axes).run(path, progress=False)
    assert path.read_bytes() == before


class Slotted:
    """A setting with attributes of both kinds, and one that has none."""

    __slots__ = ("__dict__", "factor", "unset")

    def __init__(self, factor: int) -> None:
        self.factor, self.inside = factor, object()


def test_settings_say_what_objects_hold_that_have_no_words_of_their_own() -> None:
    """With slots, too, and without any attribute."""
    assert described(Slotted(2)) == "Slotted(factor=2, inside=object())"


def complete(name: object, number: float) -> bytes:
    """A line with all that a result has, whatever is in it."""
    return json.dumps({**dict.fromkeys(KEYS, name), **dict.fromkeys(MEASURES, number), "settings": {}}).encode()


@pytest.mark.parametrize(
    "line", [b"[]", b"\xff", b"{}", b'{"machine": ["ring"]}', b"12", complete([], 0), complete("ring", inf)]
)
def test_a_line_that_is_no_result_is_named_and_the_file_left_alone(line: bytes, tmp_path: Path) -> None:
    """A file of something else is no file of results."""
    path = tmp_path / "results.jsonl"
    small_sweep().run(path, progress=False)
    path.write_bytes(wrong := path.read_bytes() + line + b"\n")
    with pytest.raises(ResultsError, match=r"results.jsonl, line 13: no result of a sweep: "):
        small_sweep().run(path, progress=False)
    assert path.read_bytes() == wrong


@pytest.mark.parametrize("text", [b'{"nodes": [0, 1]}', b"one\rtwo\r", b"12"])
def test_a_file_of_something_else_without_an_end_of_line_is_not_cut_off(text: bytes, tmp_path: Path) -> None:
    """A wrong name must not cost anybody a file."""
    path = tmp_path / "topology.json"
    path.write_bytes(text)
    with pytest.raises(ResultsError, match=r"topology.json, line 1: no result of a sweep: "):
        small_sweep().run(path, progress=False)
    with pytest.raises(ResultsError, match=r"topology.json, line 1: no result of a sweep: "):
        ResultsFile(path)
    assert path.read_bytes() == text


def test_lines_that_another_run_adds_meanwhile_are_not_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a look at the file and the first line of one's own."""
    path, read_bytes = tmp_path / "results.jsonl", Path.read_bytes
    small_sweep().run(path, progress=False)
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:5]))

    def read_just_before(file: Path) -> bytes:
        seen = read_bytes(file)
        file.write_bytes(whole)
        return seen

    monkeypatch.setattr(Path, "read_bytes", read_just_before)
    ResultsFile(path).close()
    assert read_bytes(path) == whole


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="No such file or directory"):
        small_sweep().run(tmp_path / "missing" / "results.jsonl", progress=False)
    with pytest.raises(ResultsError, match=r"Is a directory|Permission denied"):
        ResultsFile(tmp_path)


def test_a_full_disc_is_named_and_the_lines_before_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth line does not fit; with room again the sweep goes on."""
    path, write, written = tmp_path / "results.jsonl", os.write, []

    def full(file: int, line: bytes) -> int:
        written.append(line)
        if len(written) < 4:
            return write(file, line)
        if len(written) == 4:
            return write(file, line[:20])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(ResultsError, match=r"results.jsonl: No space left on device; the lines before are kept"):
            small_sweep().run(path, progress=False)
    assert len(small_sweep().frame(path)) == 3
    assert len(counted(small_sweep(), path, monkeypatch)) == 9


def test_lines_say_what_their_names_stand_for(tmp_path: Path) -> None:
    """Years later nobody knows what "profiler" was."""
    path = tmp_path / "results.jsonl"
    small_sweep().run(path, progress=False)
    settings = json.loads(path.read_text().splitlines()[-1])["settings"]
    assert settings["workload"] == "Generated('moving-phases', pages=8, accesses=400, phases=4)"
    assert settings["policy"] == "Profiler(threshold=4)"
    assert settings["epoch"] == "100"
