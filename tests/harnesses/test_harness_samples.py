"""What becomes of one record of a harness, member by member."""

import json
import tracemalloc
from pathlib import Path

from reprokit.bundle import canonical
from reprokit.bundle.finding import Finding
from reprokit.bundle.sample import Sample
from reprokit.bundle.values import NotScored
from reprokit.harnesses import lm_eval_sample, lmms_eval_sample
from reprokit.harnesses.lm_eval import LmEval
from reprokit.harnesses.lmms_eval import LmmsEval
from reprokit.harnesses.loose_json import LINES_NAMED

RECORDED = Path(__file__).parents[1] / "recorded"
STRUCTURE = NotScored(not_scored="a structure")


def first(harness, case, task):
    (run,) = harness.find([RECORDED / case])
    return next(row for row in harness.samples(run, task) if isinstance(row, Sample))


def test_a_multiple_choice_record_holds_the_context_once_and_the_choices():
    sample = first(LmEval(), "lm_eval/0.4.13/dummy_in_git", "toy_mc_b")
    assert sample.id == 0
    assert sample.filter == "none"
    assert sample.prompt == "The sky on a clear day is"
    assert sample.extra["choices"] == [" blue", " square", " seven", " salty"]
    assert sample.target == "0"
    assert sample.document["question"] == "The sky on a clear day is"
    assert len(sample.responses) == len(sample.answer) == 4
    assert sample.responses[0] == sample.answer[0]
    assert set(sample.scores) == {"acc", "acc_norm"}
    assert set(sample.extra) == {"choices", "doc_hash", "prompt_hash", "target_hash"}
    assert sample.prompt_digest == canonical.digest([[sample.prompt, choice] for choice in sample.extra["choices"]])
    assert sample.document_digest == canonical.digest(sample.document)
    assert sample.target_digest == canonical.digest("0")


def test_a_generation_record_holds_its_settings_beside_the_prompt():
    sample = first(LmEval(), "lm_eval/0.4.13/dummy_in_git", "toy_gen")
    assert sample.prompt == "Repeat the word: apple\n"
    assert sample.extra["arguments"] == [[{"until": ["\n"], "do_sample": False, "max_gen_toks": 8}]]
    assert sample.responses == ["lol"]
    assert sample.answer == "lol"
    assert sample.filter == "strict-match"
    assert sample.scores == {"exact_match": 0.0}


def test_repeated_responses_are_all_kept():
    assert first(LmEval(), "lm_eval/0.4.13/odd_metrics", "toy_repeats").responses == ["lol", "lol", "lol"]


def test_a_score_that_is_no_number_is_kept_with_its_reason():
    sample = first(LmEval(), "lm_eval/0.4.13/odd_metrics", "toy_odd")
    assert sample.scores == {
        "right": False,
        "pair": STRUCTURE,
        "nothing": NotScored(not_scored="nan"),
        "endless": NotScored(not_scored="infinity"),
        "detail": STRUCTURE,
    }
    assert sample.extra["pair"] == [1.0, 3]
    assert sample.extra["detail"] == {"answer": "apple", "score": 0.0}


def test_predictions_without_scores_have_none():
    assert first(LmEval(), "lm_eval/0.4.13/predict_only", "toy_gen").scores == {"bypass": NotScored(not_scored="null")}


def test_requests_with_different_contexts_keep_all_of_them():
    arguments = {"gen_args_0": {"arg_0": "a", "arg_1": "x"}, "gen_args_1": {"arg_0": "b", "arg_1": "x"}}
    sample = lm_eval_sample.sample_of("t", {"doc_id": 1, "arguments": arguments}, 1)
    assert sample.prompt == ["a", "b"]
    assert sample.extra["choices"] == ["x", "x"]


def test_arguments_in_the_older_layout_are_read_and_unknown_ones_kept():
    older = lm_eval_sample.sample_of("t", {"doc_id": 1, "arguments": [["a", {"k": 1}]]}, 1)
    assert (older.prompt, older.extra) == ("a", {"arguments": [[{"k": 1}]]})
    unknown = lm_eval_sample.sample_of("t", {"doc_id": 1, "arguments": "what"}, 1)
    assert (unknown.prompt, unknown.prompt_digest, unknown.extra) == (None, None, {"arguments": "what"})


def test_several_requests_with_several_repeats_keep_their_lists():
    record = {"doc_id": 1, "resps": [["a", "b"], ["c", "d"]], "filtered_resps": ["a", "c"]}
    sample = lm_eval_sample.sample_of("t", record, 1)
    assert sample.responses == [["a", "b"], ["c", "d"]]
    assert sample.answer == ["a", "c"]


def test_a_metric_that_shadows_a_member_wins_and_the_member_counts_as_not_saved():
    sample = lm_eval_sample.sample_of("t", {"doc_id": 1, "target": 0.5, "metrics": ["target", "lost"]}, 1)
    assert sample.scores == {"target": 0.5, "lost": lm_eval_sample.NOT_SAVED}
    assert sample.target is None
    assert sample.target_digest is None


def test_what_the_harness_did_not_save_is_null():
    sample = lm_eval_sample.sample_of("t", {"doc_id": "x"}, 1)
    assert sample == Sample(task="t", id="x")


def test_an_lmms_record_has_a_text_prompt_and_no_document():
    sample = first(LmmsEval(), "lmms_eval/0.7.3/two_tasks", "toy_vqa")
    assert sample.document is None
    assert sample.document_digest is None
    assert sample.prompt == "What colour is this image?\nAnswer with a single word."
    assert sample.prompt_digest == canonical.digest(sample.prompt)
    assert (sample.target, sample.responses, sample.answer) == ("red", ["red"], "red")
    assert sample.filter is None
    assert sample.scores == {"colour_acc": 1.0, "colour_detail": 1.0}
    assert sample.extra["colour_detail"]["category"] == "primary"
    assert set(sample.extra) == {"colour_detail", "doc_hash", "token_counts"}


def test_without_results_nothing_is_taken_for_a_score():
    sample = first(LmmsEval(), "lmms_eval/0.7.3/only_samples", "toy_vqa")
    assert sample.scores == {}
    assert sample.extra["colour_acc"] == 1.0


def test_media_are_part_of_the_prompt_digest():
    plain = lmms_eval_sample.sample_of("t", {"doc_id": 1, "input": "a"}, 1, frozenset())
    media = lmms_eval_sample.sample_of("t", {"doc_id": 1, "input": "a", "input_media": ["x.png"]}, 1, frozenset())
    assert plain.prompt_digest != media.prompt_digest
    assert media.extra == {"input_media": ["x.png"]}


def test_a_sample_that_was_saved_twice_gets_the_next_epoch_and_one_finding():
    (run,) = LmmsEval().find([RECORDED / "lmms_eval/0.7.3/appended_samples"])
    *samples, found = LmmsEval().samples(run, "toy_text")
    assert [(sample.id, sample.epoch) for sample in samples] == [(n, epoch) for epoch in (1, 2) for n in range(4)]
    assert found.code == "W315"
    assert "line 5 of " in found.message
    assert "3 more" in found.message


def test_a_task_without_samples_has_none():
    (run,) = LmEval().find([RECORDED / "lm_eval/0.4.13/dummy_in_git"])
    assert list(LmEval().samples(run, "no such task")) == []


def written(folder, lines):
    file = folder / "m/samples_t_2026-11-23T00-00-00.jsonl"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"".join(lines))
    (run,) = LmEval().find([folder])
    return run


def test_the_order_of_documents_does_not_matter_for_finding_repeats(tmp_path):
    ids = [7, 3, 8, 9, 3, "3", 0, 1, 7, 10]
    run = written(tmp_path, [json.dumps({"doc_id": key}).encode() + b"\n" for key in ids])
    *samples, _ = LmEval().samples(run, "t")
    assert [(sample.id, sample.epoch) for sample in samples if sample.epoch > 1] == [(3, 2), (7, 2)]


def test_a_file_of_rubbish_gives_a_bounded_number_of_findings(tmp_path):
    run = written(tmp_path, [b"rubbish\n"] * (LINES_NAMED + 50))
    findings = list(LmEval().samples(run, "t"))
    assert len(findings) == LINES_NAMED + 1
    assert "and 50 more lines" in findings[-1].message
    assert all(isinstance(found, Finding) and found.code == "W302" for found in findings)


def test_memory_does_not_grow_with_the_number_of_samples(tmp_path):
    record = json.dumps({"doc": {"text": "x" * 400}, "filter": "none", "doc_hash": "a"})[1:]

    def peak(count):
        run = written(tmp_path, (b'{"doc_id": %d, ' % n + record.encode() + b"\n" for n in range(count)))
        tracemalloc.start()
        try:
            LmEval().read(run)
            assert sum(1 for _ in LmEval().samples(run, "t")) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(100)
    assert peak(4_000) < 2 * peak(400)
