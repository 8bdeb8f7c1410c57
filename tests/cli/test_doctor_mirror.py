"""`reprokit doctor` on what a mirror needs: nothing is asked of it."""

from __future__ import annotations

import json

KEY = "local" + "0" * 40


def found(reprokit, check: str, **variables) -> list[dict]:
    checks = json.loads(reprokit("doctor", "--json", check=None, **variables).stdout)
    return [each for each in checks if each["check"] == check]


def test_a_key_that_is_missing_is_told_and_one_that_is_there_is_not_asked_about(reprokit):
    away = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": ""}
    (missing,) = found(reprokit, "mirror", **away)
    assert missing["state"] == "warn"
    assert "no key" in missing["message"]
    assert "wandb login --host http://127.0.0.1:9" in missing["hint"]
    (there,) = found(reprokit, "mirror", **away | {"WANDB_API_KEY": KEY})
    assert there["state"] == "ok"
    assert "http://127.0.0.1:9" in there["message"]


def test_a_setting_that_cannot_be_followed_is_told(reprokit):
    with (reprokit.archive / "reprokit.toml").open("a") as settings:
        settings.write('\n[mirror.wandb]\nprojectt = "evals"\n')
    (wrong,) = found(reprokit, "mirror", WANDB_API_KEY=KEY)
    assert wrong["state"] == "warn"
    assert "projectt" in wrong["message"]
    assert "did you mean `project`?" in wrong["hint"]


def test_what_a_capture_is_wished_to_do_is_told_and_its_variable_is_known(reprokit):
    told = json.loads(reprokit("doctor", "--json", check=None, REPROKIT_MIRROR="1").stdout)
    assert any("copied to `wandb`" in each["message"] for each in told if each["check"] == "settings")
    assert not [each for each in told if each["state"] != "ok" and "REPROKIT_MIRROR" in each["message"]]
