"""A file of settings may ask for what a re-run must not do: then it is refused, since no argument takes it back."""

from __future__ import annotations

import pytest

from reprokit.errors import InputMissingError
from reprokit.reproduce.workspace import new_workspace
from reprokit.reproduce.writing_out import require_harmless_settings
from reprokit.rerun.parts import Place
from reprokit.rerun.values import Rerun

REDIRECTED = Rerun(argv=(("lm_eval",), (Place("outputs", "out"),)), settings=(("conf.yaml",),))
NOT_REDIRECTED = Rerun(argv=(("lm_eval",),), settings=(("conf.yaml",),))


@pytest.fixture
def check(tmp_path):
    """Give a function that checks the text of a file of settings."""
    workspace = new_workspace(tmp_path / "w")

    def look(text, again=REDIRECTED):
        (workspace.source / "conf.yaml").write_text(text)
        require_harmless_settings(again, workspace.source, workspace)

    return look


@pytest.mark.parametrize(
    "text",
    [
        "use_cache: /data/responses\n",
        "model: dummy\n  wandb_args: {project: x}\n",
        '{\n  "hf_hub_log_args": "hub_results_org=x"\n}',
        "cache_requests: true # faster\n",
        "'use_cache' : x",
    ],
)
def test_what_writes_uploads_or_takes_old_answers_is_refused(check, text):
    with pytest.raises(InputMissingError, match=r"conf\.yaml"):
        check(text)


@pytest.mark.parametrize(
    "text",
    [
        "use_cache: null\n",
        "wandb_args:\n",
        "use_cache: ~ # not here\n",
        "tasks: [use_cache]\n",
        "note: no use_cache: x",
    ],
)
def test_what_asks_for_nothing_is_not(check, text):
    check(text)


def test_an_output_path_counts_only_when_the_command_line_gives_none(check):
    check("output_path: /data/results\n")
    with pytest.raises(InputMissingError, match="output_path"):
        check("output_path: /data/results\n", NOT_REDIRECTED)


def test_settings_that_are_not_there_are_missing(check, tmp_path):
    workspace = new_workspace(tmp_path / "other")
    with pytest.raises(InputMissingError, match="cannot be read"):
        require_harmless_settings(REDIRECTED, workspace.source, workspace)
