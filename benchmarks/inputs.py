"""What the measurements run on, made here: outputs of evaluations, bundles, archives."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path

from reprokit.archive.creation import create
from reprokit.archive.layout import Archive
from reprokit.archive.publication import BAG, publish, stage
from reprokit.archive.registration import fold
from reprokit.bundle import canonical
from reprokit.bundle.environment import Environment
from reprokit.bundle.record import Harness, Invocation, Record, Run, Subject, SubjectPart
from reprokit.bundle.results import Metric, Results, Task
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import Unknown
from reprokit.bundle.writing import Label, Payload, Sealed
from reprokit.rerun import script

_WORDS = ["".join(random.Random(number).choices("aeioubcdfghjklmnpqrstvw", k=3 + number % 8)) for number in range(4000)]
_WORDS_ASKED = 60
_WORDS_ANSWERED = 60


def prose(number: int, words: int) -> str:
    """Make text that compresses about as well as prompts do; the same number gives the same text."""
    return " ".join(random.Random(number).choices(_WORDS, k=words))


def lm_eval_outputs(folder: Path, *, files: int, size: int) -> Path:
    """Write one run as lm-eval does: a results file, and `files` sample files of about `size` bytes each."""
    place = folder / "toy-org__guesser"
    place.mkdir(parents=True)
    stamp = "2026-11-23T03-48-33.516864"
    tasks = [f"task_{number}" for number in range(files)]
    for number, task in enumerate(tasks):
        with (place / f"samples_{task}_{stamp}.jsonl").open("w", encoding="utf-8") as file:
            for line in _lm_eval_lines(number, size):
                file.write(line)
    results = {
        "results": {task: {"alias": task, "acc,none": 0.5, "acc_stderr,none": 0.01} for task in tasks},
        "configs": {task: {"task": task, "output_type": "generate_until"} for task in tasks},
        "versions": dict.fromkeys(tasks, 1.0),
        "n-shot": dict.fromkeys(tasks, 0),
        "higher_is_better": {task: {"acc": True} for task in tasks},
        "config": {"model": "dummy", "model_args": {"pretrained": "toy-org/guesser"}},
        "date": 1_763_869_713.5,
        "lm_eval_version": "0.4.13",
        "model_name": "toy-org/guesser",
    }
    (place / f"results_{stamp}.json").write_text(json.dumps(results, indent=2), encoding="utf-8")
    return folder


def _lm_eval_lines(seed: int, size: int) -> Iterator[str]:
    """Write the lines of a task that is answered in sentences after five worked examples, the same for every sample.

    The harness's digests are those of the texts: digests that count up would compress to nothing.
    """
    examples = "\n\n".join(prose(-1 - seed * 10 - number, _WORDS_ASKED + _WORDS_ANSWERED) for number in range(5))
    written, number = 0, 0
    while written < size:
        text = prose(seed * 10_000_000 + number, _WORDS_ASKED + _WORDS_ANSWERED)
        question, answer = text[: len(text) // 2], text[len(text) // 2 :]
        document = {"id": number, "question": question, "answer": answer[:7]}
        prompt = f"{examples}\n\n{question}"
        record = {
            "doc_id": number,
            "doc": document,
            "target": answer[:7],
            "arguments": {"gen_args_0": {"arg_0": prompt, "arg_1": {"until": ["\n"]}}},
            "resps": [[answer]],
            "filtered_resps": [answer[:7]],
            "filter": "none",
            "metrics": ["acc"],
            "doc_hash": _sha256(json.dumps(document)),
            "prompt_hash": _sha256(prompt),
            "target_hash": _sha256(answer[:7]),
            "acc": float(number % 2),
        }
        line = json.dumps(record) + "\n"
        written += len(line)
        number += 1
        yield line


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def samples(count: int, *, seed: int = 0, words: int = 40) -> Iterator[Sample]:
    """Make samples whose score, response and prompt depend on their number and the seed."""
    for number in range(count):
        text = prose(number, words)
        yield Sample(
            task="toy",
            id=number,
            filter="none",
            document={"question": text},
            document_digest=canonical.digest(text),
            prompt=text,
            prompt_digest=canonical.digest(text),
            target=text[:5],
            responses=[text[seed : seed + 9]],
            answer=text[seed : seed + 5],
            scores={"acc": (number + seed) % 2},
        )


def bundle(bag: Path, *, count: int, number: int = 0, seed: int = 0) -> Sealed:
    """Seal a bundle of `count` samples; the number sets it apart from others."""
    bag.mkdir(parents=True, exist_ok=True)
    payload = Payload(bag=bag)
    lines = (canonical.line(sample) + b"\n" for sample in samples(count, seed=seed))
    payload.add("samples/toy.jsonl", "samples", lines)
    results = Results(
        metrics=[Metric(task="toy", metric="acc", filter="none", value=0.5, stderr=0.01, n=count)],
        tasks=[Task(name="toy", samples_saved=count, samples_file="samples/toy.jsonl")],
    )
    environment = Environment(learnt_from="nothing", packages=Unknown(unknown="made up"))
    payload.add("results.json", "results", canonical.record(results))
    payload.add("environment/environment.json", "environment", canonical.record(environment))
    payload.add("environment/requirements.lock", "environment", b"")
    started = f"2026-{1 + number // 28 % 12:02}-{1 + number % 28:02}T{number // 336 % 24:02}:{number % 60:02}:00Z"
    record = Record(
        origin="live",
        invocation=Invocation(
            argv=["lm_eval", "--seed", str(number)],
            program="/home/ada/venv/bin/lm_eval",
            program_in="environment",
            working_directory="/home/ada/evals",
            environment_variables=[],
        ),
        run=Run(started=started, ended=started, exit_code=0, complete=True, host="box"),
        harness=Harness(name="lm_eval", version="0.4.13", version_from="claim"),
        subject=Subject(
            models=[
                SubjectPart(name=f"org/model-{number % 7}", revision=Unknown(unknown="made up"), learnt_from="claim")
            ]
        ),
        sources=[],
    )
    return payload.seal(
        record,
        results=results,
        script=lambda record: script.text(record, environment, []),
        label=Label(tags=("paper",) if number % 10 == 0 else ()),
        captured=started,
        agent="benchmark",
    )


def archive(root: Path, *, bundles: int) -> Archive:
    """Make an archive of that many small bundles, registered and committed."""
    made = create(root)
    for number in range(bundles):
        staged = stage(made)
        bundle(staged / BAG, count=2, number=number)
        publish(made, staged)
        if number % 500 == 499:  # noqa: PLR2004 - some commits, as a lab has
            fold(made)
    fold(made)
    return made
