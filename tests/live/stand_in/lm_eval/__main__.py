"""Answer two made questions at random and write what lm-eval 0.4.13 would write, once for all ranks."""

import argparse
import datetime as dt
import hashlib
import json
import os
import random
import re
import sys
from pathlib import Path

CHOICES = ["larger", "smaller"]


def arguments():
    """Read the options of `lm_eval run` that the tests use."""
    parser = argparse.ArgumentParser(prog="lm_eval")
    parser.add_argument("command", choices=["run"])
    for name in ("--model", "--model_args", "--tasks", "--output_path"):
        parser.add_argument(name, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log_samples", action="store_true")
    return parser.parse_args()


def record(task, number, answer):
    """Write one sample as lm-eval does."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "doc_id": number,
        "doc": {"id": number, "question": f"Is {number} larger than 1?"},
        "target": CHOICES[number > 1],
        "arguments": {"gen_args_0": {"arg_0": f"Is {number} larger than 1?", "arg_1": {"until": ["\n"]}}},
        "resps": [[answer]],
        "filtered_resps": [answer],
        "filter": "none",
        "metrics": ["exact_match"],
        "doc_hash": digest,
        "prompt_hash": digest,
        "target_hash": digest,
        "exact_match": float(answer == CHOICES[number > 1]),
    }


def results(options, task, samples):
    """Write the results as lm-eval does."""
    score = sum(sample["exact_match"] for sample in samples) / len(samples)
    model = dict(pair.split("=", 1) for pair in options.model_args.split(","))
    return {
        "results": {task: {"alias": task, "exact_match,none": score, "exact_match_stderr,none": "N/A"}},
        "group_subtasks": {task: []},
        "configs": {task: {"task": task, "metric_list": [{"metric": "exact_match"}], "output_type": "generate_until"}},
        "versions": {task: 1.0},
        "n-shot": {task: 0},
        "higher_is_better": {task: {"exact_match": True}},
        "n-samples": {task: {"original": len(samples), "effective": len(samples)}},
        "config": {
            "model": options.model,
            "model_args": model,
            "batch_size": 1,
            "limit": None,
            "random_seed": options.seed,
        },
        "git_hash": None,
        "date": dt.datetime.now().timestamp(),
        "lm_eval_version": "0.4.13",
        "model_source": options.model,
        "model_name": model["model"],
        "model_name_sanitized": re.sub(r'["<>:/|\\?*\[\]]+', "__", model["model"]),
        "total_evaluation_time_seconds": "0.1",
    }


def main():
    """Evaluate; only the first rank writes."""
    options = arguments()
    chance = random.Random(options.seed)
    samples = [record(options.tasks, number, chance.choice(CHOICES)) for number in range(4)]
    if "model=breaks" in options.model_args:
        sys.exit("the model breaks")
    if os.environ.get("RANK", "0") != "0" or os.environ.get("SLURM_PROCID", "0") != "0":
        return
    found = results(options, options.tasks, samples)
    folder = Path(options.output_path) / found["model_name_sanitized"]
    folder.mkdir(parents=True, exist_ok=True)
    stamp = dt.datetime.now().isoformat().replace(":", "-")
    (folder / f"results_{stamp}.json").write_text(json.dumps(found, indent=2))
    if options.log_samples:
        lines = "".join(json.dumps(sample) + "\n" for sample in samples)
        (folder / f"samples_{options.tasks}_{stamp}.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
