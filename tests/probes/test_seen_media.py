"""What lmms-eval shows its models is digested in passing, without the evaluation's noticing.

lmms-eval, its datasets and Pillow are stood in for by a few lines each, with the parts that the probe touches; the live
tests run the real ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reprokit.bundle.sample import Medium, Sample
from reprokit.bundle.values import Unknown
from reprokit.probes.interpreter import child_environment, survey
from reprokit.probes.interpreter.media import findings, read, with_media

STANDING_IN = {
    "PIL/__init__.py": "",
    "PIL/Image.py": """
class Image:
    tile = ()
    def __init__(self, mode, size, data): self.mode, self.size, self.data = mode, size, data
    def getbands(self): return tuple(self.mode)
    def tobytes(self): return self.data
    def convert(self, mode): return Image(mode, self.size, self.data * 4)
""",
    "datasets/__init__.py": "",
    "datasets/arrow_dataset.py": """
class Dataset:
    def __init__(self, rows): self.rows = rows
    def __getitem__(self, key): return dict(self.rows[key])
    def __len__(self): return len(self.rows)
""",
    "lmms_eval/__init__.py": "",
    "lmms_eval/api/__init__.py": "",
    "lmms_eval/api/task.py": """
import functools, hashlib, os, signal, sys, threading, time, weakref
import PIL.Image, datasets.arrow_dataset

class Config:
    training_split, validation_split, test_split = 'train', None, 'test'
    def __init__(self, task, see): self.task, self.see = task, see

class ConfigurableTask:
    def __init__(self, name, dataset, see): self.config, self.dataset = Config(name, see), dataset
    def doc_to_visual(self, doc):
        '''The media of a row.'''
        return self.config.see(doc)

class ConfigurableMessagesTask(ConfigurableTask):
    def doc_to_messages(self, doc, *, round_idx=None):
        return self.config.see(doc)

import lmms_eval.after_it
""",
    "lmms_eval/after_it.py": "",
    "lmms_eval/models.py": "",
}
BEGINNING = """
import os, signal, sys, time
from lmms_eval.api.task import ConfigurableMessagesTask, ConfigurableTask
from datasets.arrow_dataset import Dataset
from PIL.Image import Image
import lmms_eval.models

def picture(text, mode='L'): return Image(mode, (len(text), 1), text.encode())
rows = [{'picture': picture('one')}, {'picture': picture('four')}, {'picture': picture('one')}]
data = {'test': Dataset(rows), 'train': Dataset(rows)}
task = ConfigurableTask('tints', data, lambda row: [row['picture']])
"""


def pythons() -> list[str]:
    """Every Python of this machine that the probe serves, the running one first."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/3.*/bin/python")
    return [sys.executable, *(str(each) for each in sorted(versions) if int(each.parts[-3].split(".")[1]) >= 8)]


@pytest.fixture
def evaluation(tmp_path):
    """Run a program after the common beginning, without the probe and with it: it must not make a difference.

    Gives what is then known of the samples of a task.
    """
    for name, text in STANDING_IN.items():
        (tmp_path / "packages" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "packages" / name).write_text(text)
    probes = tmp_path / "probes"
    probes.mkdir()

    def run(program: str, python: str = sys.executable):
        (tmp_path / "evaluate.py").write_text(BEGINNING + program)
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path / "packages")}
        runs = [
            subprocess.run([python, "evaluate.py"], cwd=tmp_path, env=each, capture_output=True, check=False)
            for each in (environ, child_environment(environ, probes))
        ]
        (unwatched, watched) = [(done.returncode, done.stdout, done.stderr) for done in runs]
        assert watched == unwatched
        assert survey(probes).passed_over == 0
        return read(probes, "lmms_eval", tmp_path)

    return run


def pixels(text: str, mode: str = "L") -> Medium:
    data = f"{mode} {len(text)}x1\n{text * (4 if mode == 'RGBA' else 1)}".encode()
    return Medium(kind="image", digest=digest(data), digest_of="pixels", width=len(text), height=1)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def media_of(seen, number: int, task: str = "tints"):
    return with_media(Sample(task=task, id=number), seen).media


@pytest.mark.parametrize("python", pythons())
def test_a_picture_is_known_by_its_pixels_and_tied_to_its_sample(evaluation, python):
    seen = evaluation("for at in (2, 0, 1, 0): print(task.doc_to_visual(data['test'][at])[0].data)", python)

    assert [media_of(seen, number) for number in range(3)] == [[pixels("one")], [pixels("four")], [pixels("one")]]
    assert findings(seen) == []


def test_only_the_row_itself_of_the_split_that_is_evaluated_counts(evaluation):
    seen = evaluation(
        "task.doc_to_visual(data['train'][0])\n"  # a few-shot example
        "task.doc_to_visual(dict(data['test'][1]))\n"  # a copy: who knows of what
        "kept = data['test'][2]; data['test'][0]; task.doc_to_visual(kept)\n"  # not the last one any more
        "task.doc_to_visual(data['test'][-1])\n"
    )

    assert [media_of(seen, number) for number in range(3)] == [[], [], []]
    (only,) = findings(seen)
    assert (only.code, only.where) == ("W353", "tints")
    assert only.message.endswith("3 of 3 samples")


def test_text_has_no_media_and_nothing_is_amiss(evaluation):
    seen = evaluation(
        "for made in ([], None):\n"
        "    task = ConfigurableTask('text', data, lambda row: made)\n"
        "    task.doc_to_visual(data['test'][0 if made is None else 1])\n"
    )

    assert media_of(seen, 0, "text") == media_of(seen, 1, "text") == []
    assert findings(seen) == []


def test_every_kind_of_medium_is_described(evaluation, tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"a film")
    seen = evaluation(
        "late = picture('late'); late.tile = [1]; late.filename = 'film.mp4'\n"
        "made = [picture('map', 'P'), 'film.mp4', [picture('in')], 'gone.wav', b'bytes', {'url': 'film.mp4'},\n"
        "        'https://ada:secret@pictures.invalid:81/a.png?token=1', 'x' * 5000, 3, late]\n"
        "task = ConfigurableTask('tints', data, lambda row: made)\n"
        "print(task.doc_to_visual(data['test'][0]) is made)\n"
    )

    film, gone = digest(b"a film"), Unknown(unknown="the file cannot be read: No such file or directory")
    assert media_of(seen, 0) == [
        pixels("map", "RGBA"),
        Medium(kind="video", digest=film, name="film.mp4"),
        pixels("in"),
        Medium(kind="audio", digest=gone, name="gone.wav"),
        Medium(kind="file", digest=digest(b"bytes")),
        Medium(kind="video", digest=film, name="film.mp4"),
        Medium(kind="image", digest=Unknown(unknown="it lies elsewhere"), name="https://pictures.invalid:81/a.png"),
        Medium(kind="file", digest=Unknown(unknown="it is text and names no file")),
        Medium(kind="file", digest=Unknown(unknown="it is of a kind that is not known")),
        Medium(kind="image", digest=film, name="film.mp4", width=4, height=1),
    ]


def test_messages_hold_media_too(evaluation):
    seen = evaluation(
        "made = [{'role': 'user', 'content': [{'type': 'image', 'url': picture('one')}, {'type': 'text', 'text': 'x'}]}]\n"
        "task = ConfigurableMessagesTask('tints', data, lambda row: made)\n"
        "task.doc_to_messages(data['test'][1])\n"
        "task.doc_to_messages(data['test'][2], round_idx=1)\n"
    )

    assert media_of(seen, 1) == [pixels("one")]
    assert media_of(seen, 2) == []


def test_an_iterator_that_a_task_returns_is_not_used_up(evaluation):
    evaluation(
        "task = ConfigurableTask('tints', data, lambda row: iter([row['picture']]))\n"
        "print(len(list(task.doc_to_visual(data['test'][0]))))\n"
    )


def test_the_methods_look_as_they_did(evaluation):
    evaluation(
        "import inspect, pickle\n"
        "for each in (ConfigurableTask.doc_to_visual, ConfigurableMessagesTask.doc_to_messages, Dataset.__getitem__):\n"
        "    print(each.__name__, each.__qualname__, each.__module__, each.__doc__, inspect.signature(each))\n"
        "    print(pickle.loads(pickle.dumps(each)) is each)\n"
    )


def test_what_fails_in_the_evaluation_fails_as_it_did(evaluation):
    evaluation(
        "def fail(row): raise KeyError('no such picture')\n"
        "for made, key in ((fail, 0), (fail, 9)):\n"
        "    try: ConfigurableTask('tints', data, made).doc_to_visual(data['test'][key])\n"
        "    except Exception as error: print(type(error), error.args, error.__context__)\n"
    )


def test_what_fails_in_the_probe_does_not_reach_the_evaluation(evaluation):
    seen = evaluation(
        "class Broken(Image):\n"
        "    def tobytes(self): raise MemoryError\n"
        "rows[0]['picture'] = Broken('L', (1, 1), b'')\n"
        "for at in (0, 1): print(len(task.doc_to_visual(data['test'][at])))\n"
        "task.config = None\n"
        "try: task.doc_to_visual(data['test'][1])\n"
        "except AttributeError as error: print(error)\n"
    )

    assert [media_of(seen, number) for number in range(2)] == [[], [pixels("four")]]


def test_a_time_limit_that_strikes_while_a_picture_is_digested_reaches_the_evaluation(evaluation):
    program = (
        "class Slow(Image):\n"
        "    def tobytes(self):\n"
        "        time.sleep(20 if watched else 0)\n"
        "        return b'x'\n"
        "watched = hasattr(ConfigurableTask.doc_to_visual, '__wrapped__')\n"
        "def strike(*_): raise TimeoutError('too slow')\n"
        "signal.signal(signal.SIGALRM, strike)\n"
        "rows[0]['picture'] = Slow('L', (1, 1), b'')\n"
        "try:\n"
        "    signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "    task.doc_to_visual(data['test'][0])\n"
        "    time.sleep(20)\n"
        "except TimeoutError as error: print(error)\n"
    )

    evaluation(program)


def test_a_program_that_closes_what_it_does_not_know_and_forks_is_safe(evaluation, tmp_path):
    seen = evaluation(
        "task.doc_to_visual(data['test'][0])\n"
        "os.closerange(3, 64)\n"
        "mine = open('mine.txt', 'w')\n"
        "task.doc_to_visual(data['test'][1])\n"
        "if os.fork() == 0:\n"
        "    task.doc_to_visual(data['test'][2]); sys.exit()\n"
        "os.wait()\n"
        "mine.write('mine'); mine.close()\n"
    )

    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert [media_of(seen, number) for number in range(3)] == [[pixels("one")], [pixels("four")], [pixels("one")]]


def test_without_lmms_eval_nothing_is_wrapped_and_nothing_written(tmp_path):
    for name in ("datasets/__init__.py", "datasets/arrow_dataset.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(STANDING_IN[name])
    (tmp_path / "probes").mkdir()
    environ = child_environment({"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}, tmp_path / "probes")
    program = "import datasets.arrow_dataset as d, csv; print(hasattr(d.Dataset.__getitem__, '__wrapped__'))"

    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, check=True, text=True)

    assert done.stdout == "False\n"
    assert [file.suffix for file in (tmp_path / "probes").iterdir()] == [".json"]


# --- reading -----------------------------------------------------------------------------------------------------------


def line(number: int, *media: dict, task: str = "tints", **more) -> str:
    return json.dumps({"task": task, "id": number, "media": media, **more}) + "\n"


def test_ranks_are_joined_and_where_they_disagree_nothing_is_said(tmp_path):
    one, other = ({"kind": "image", "digest": digest(data), "of": "pixels"} for data in (b"1", b"2"))
    (tmp_path / "a.media.jsonl").write_text(line(0, one) + line(1, one) + line(2, one))
    (tmp_path / "b.media.jsonl").write_text(line(1, one) + line(2, other) + line(3, other) + line(3, other))

    seen = read(tmp_path, "lmms_eval", tmp_path)

    assert [len(media_of(seen, number)) for number in range(4)] == [1, 1, 0, 1]
    assert findings(seen)[0].message.endswith("1 of 4 samples")


def test_lines_that_are_none_are_passed_over(tmp_path):
    whole = line(0, {"kind": "image", "digest": digest(b"1"), "of": "pixels"})
    odd = ["{", '{"task": 3}', "[" * 9000, line(1, {"kind": "smell"}), line(1, {"kind": "image", "digest": "md5:1"})]
    (tmp_path / "a.media.jsonl").write_bytes("\n".join([*odd, whole]).encode() + b"\xff\n" + whole.encode()[:20])
    (tmp_path / "b.media.jsonl").write_text(whole[:-1])
    os.mkfifo(tmp_path / "c.media.jsonl")
    (tmp_path / "d.media.jsonl").symlink_to("/dev/zero")

    seen = read(tmp_path, "lmms_eval", tmp_path)

    assert list(seen.lines) == ["tints"]
    assert list(seen.lines["tints"]) == [0]


def test_more_media_than_are_noted_are_told(tmp_path):
    (tmp_path / "a.media.jsonl").write_text(line(0, {"kind": "file", "unknown": "odd"}, left_out=4))
    seen = read(tmp_path, "lmms_eval", tmp_path)

    assert media_of(seen, 0) == [Medium(kind="file", digest=Unknown(unknown="odd"))]
    assert [each.code for each in findings(seen)] == ["W353"]


def test_files_that_a_sample_names_are_digested_whatever_the_harness(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/a.png").write_bytes(b"a picture")
    (tmp_path / "secret.txt").write_bytes(b"no medium")
    (tmp_path / "linked.png").symlink_to("pictures/a.png")
    document = {
        "text": "see a.png for it", "picture": "pictures/a.png", "more": ["linked.png", "gone.png", 3], "note": "secret.txt",
        "long": "x" * 70_000 + ".png", "odd": "\0.png", "again": "pictures/a.png",
    }  # fmt: skip
    seen = read(tmp_path / "none", "script", tmp_path)

    media = with_media(Sample(task="t", id="x", document=document), seen).media

    assert media == [
        Medium(kind="image", digest=digest(b"a picture"), name="pictures/a.png"),
        Medium(kind="image", digest=digest(b"a picture"), name="linked.png"),
    ]
    assert findings(seen) == [], "no other harness is watched"


def test_the_names_that_lmms_eval_saves_are_digested_where_nothing_was_seen(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"a sound")
    seen = read(tmp_path, "lmms_eval", tmp_path)
    named = Sample(task="t", id=0, extra={"input_media": [str(tmp_path / "a.wav"), "https://a.invalid/b.mp4?k=1"]})

    assert with_media(named, seen).media == [
        Medium(kind="audio", digest=digest(b"a sound"), name="a.wav"),
        Medium(kind="video", digest=Unknown(unknown="it lies elsewhere"), name="https://a.invalid/b.mp4"),
    ]
    assert len(findings(seen)) == 1


def test_no_more_is_read_than_may_be(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(name.encode() * 10)
    seen = read(tmp_path, "script", tmp_path, may_read=60)

    one, again, other = with_media(Sample(task="t", id=0, document={"all": ["a.png", "./a.png", "b.png"]}), seen).media

    assert one.digest == again.digest == digest(b"a.png" * 10)
    assert isinstance(other.digest, Unknown)


def test_a_hundred_thousand_samples_take_little_memory(tmp_path):
    item = {"kind": "image", "digest": digest(b"1"), "of": "pixels", "width": 640, "height": 480}
    with (tmp_path / "a.media.jsonl").open("w") as file:
        file.writelines(line(number, item) for number in range(100_000))

    seen = read(tmp_path, "lmms_eval", tmp_path)

    assert len(seen.lines["tints"]) == 100_000
    assert sum(sys.getsizeof(raw) for raw in seen.lines["tints"].values()) < 40_000_000
    assert Path(tmp_path / "a.media.jsonl").stat().st_size < 40_000_000
