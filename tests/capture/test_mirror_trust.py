"""Whose word it is that a bundle goes to a mirror, and to whom: the user's, and never a checkout's."""

from __future__ import annotations

import json
import sys

import pytest

from reprokit.archive.layout import Archive
from reprokit.capture.wishes import read_wishes
from reprokit.errors import UsageError
from reprokit.outbox import destinations

COMMAND = ("--", sys.executable, "evaluate.py")
LOOT = '[mirror.wandb]\nentity = "attacker"\nproject = "loot"\n'


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Give the home of a user, with nothing of reprokit or W&B in it."""
    folder = tmp_path / "user"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CONFIG_HOME", "WANDB_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def checkout(tmp_path):
    """Give somebody's checkout."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    return folder


@pytest.fixture
def archive(tmp_path):
    """Give an archive, as far as its settings go."""
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "reprokit.toml").write_text("[archive]\nformat = 1\n")
    return Archive(folder)


def users(home, text):
    path = home / ".config/reprokit/reprokit.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def archives(archive, text):
    (archive.root / "reprokit.toml").write_text(f"[archive]\nformat = 1\n{text}")


def settle(archive, directory, home, **environment):
    return destinations.destination(
        archive, "wandb", environment={"HOME": str(home), **environment}, directory=directory
    )


# --- that a bundle is copied at all -------------------------------------------------------------------------------------


def test_a_plain_capture_in_a_strangers_checkout_queues_nothing_and_says_so_in_one_line(reprokit, evaluation):
    settings = evaluation / "reprokit.toml"
    settings.write_text(f"[capture]\nmirror = true\ndefer = true\n{LOOT}")
    done = reprokit("capture", *reprokit.files, *COMMAND, directory=evaluation, WANDB_API_KEY="local" + "k" * 40)
    assert "captured" in done.stderr
    assert not list(reprokit.archive.glob(".reprokit/outbox/*/*.json"))
    (line,) = [line for line in done.stderr.splitlines() if str(settings) in line]
    assert "`--mirror`" in line
    assert "`REPROKIT_MIRROR=1`" in line


def test_what_a_flag_settles_needs_no_such_line(reprokit, evaluation):
    settings = evaluation / "reprokit.toml"
    settings.write_text("[capture]\nmirror = true\n")
    done = reprokit("capture", "--no-mirror", *reprokit.files, *COMMAND, directory=evaluation)
    assert str(settings) not in done.stderr


def test_even_with_the_flag_a_checkout_does_not_say_to_whom_it_goes(reprokit, evaluation):
    (evaluation / "reprokit.toml").write_text(LOOT)
    done = reprokit("capture", "--mirror", "--defer", *reprokit.files, *COMMAND, directory=evaluation)
    assert "`entity`" in done.stderr
    assert "captured" in done.stderr
    assert not list(reprokit.archive.glob(".reprokit/outbox/*/*.json"))
    done = reprokit(
        "capture", "--mirror", "--defer", *reprokit.files, *COMMAND, "1", directory=evaluation, WANDB_ENTITY="lab"
    )
    (waiting,) = reprokit.archive.glob(".reprokit/outbox/wandb/*.json")
    assert json.loads(waiting.read_text())["destination"]["options"]["entity"] == "lab"


def test_a_wish_for_a_mirror_counts_from_the_user_and_from_an_archive(home, checkout, archive):
    assert read_wishes(checkout, {}).mirror is None
    (checkout / "reprokit.toml").write_text("[capture]\nmirror = true\ndefer = true\n")
    wishes = read_wishes(checkout, {})
    assert (wishes.mirror, wishes.defer, wishes.unheeded) == (None, True, checkout / "reprokit.toml")
    assert read_wishes(home, {}, place=checkout).unheeded == checkout / "reprokit.toml"
    by_variable = read_wishes(checkout, {"REPROKIT_MIRROR": "1"})
    assert (by_variable.mirror, by_variable.unheeded) == ("wandb", None)

    archives(archive, "[capture]\nmirror = true\n")
    assert read_wishes(archive.root, {}).mirror is None  # Any checkout can call itself an archive.
    assert read_wishes(archive.root, {"REPROKIT_ARCHIVE": str(archive.root)}).mirror == "wandb"
    users(home, f'archive = "{archive.root}"\n')
    assert read_wishes(archive.root, {}).mirror == "wandb"

    users(home, "[capture]\nmirror = true\n")
    assert (read_wishes(checkout, {}).mirror, read_wishes(checkout, {}).unheeded) == ("wandb", None)


def test_a_checkout_may_say_no(home, checkout):
    users(home, "[capture]\nmirror = true\n")
    (checkout / "reprokit.toml").write_text("[capture]\nmirror = false\n")
    assert read_wishes(checkout, {}).mirror is None


# --- to whom it goes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "variable", "value"),
    [
        ('entity = "attacker"', "WANDB_ENTITY", "lab"),
        ('base_url = "https://attacker.example"', "WANDB_BASE_URL", "https://lab.example"),
    ],
)
def test_a_checkout_that_says_to_whom_is_refused_until_the_user_says_it(
    home, checkout, archive, written, variable, value
):
    settings = checkout / "reprokit.toml"
    settings.write_text(f"[mirror.wandb]\n{written}\n")
    with pytest.raises(UsageError) as raised:
        settle(archive, checkout, home)
    assert str(settings) in raised.value.message
    for place in (archive.root / "reprokit.toml", home / ".config/reprokit/reprokit.toml", variable):
        assert str(place) in raised.value.hint
    to = settle(archive, checkout, home, **{variable: value})
    assert "attacker" not in str(to)
    assert value in str(to)


def test_where_there_is_no_archive_the_folder_in_its_place_is_a_checkout_too(home, checkout):
    (checkout / "reprokit.toml").write_text(LOOT)
    with pytest.raises(UsageError, match="entity"):
        settle(Archive(checkout), checkout, home)


def test_how_a_run_is_shown_a_checkout_may_say_and_it_hides_nothing_that_the_user_says(home, checkout, archive):
    users(home, '[mirror.wandb]\nentity = "lab"\nbase_url = "http://lab.example"\nproject = "mine"\n')
    shown = 'group = "g"\njob_type = "j"\ntags = ["t"]\nnotes = "n"\nname = "r"\nsample_rows = 3\nproject = "p"\n'
    (checkout / "reprokit.toml").write_text(f"[mirror.wandb]\n{shown}")
    to = settle(archive, checkout, home)
    assert (to.address, to.trusted) == ("http://lab.example", True)
    assert (to.options["entity"], to.options["project"], to.options["sample_rows"]) == ("lab", "p", 3)


def test_the_archives_own_file_may_say_to_whom(home, checkout, archive):
    archives(archive, '[mirror.wandb]\nentity = "lab"\nbase_url = "https://lab.example"\n')
    to = settle(archive, checkout, home)
    assert (to.options["entity"], to.address, to.trusted) == ("lab", "https://lab.example", False)


def test_an_address_is_trusted_only_when_it_is_the_one_without_the_archive(home, checkout, archive):
    archives(archive, '[mirror.wandb]\nbase_url = "https://api.wandb.ai"\n')
    assert settle(archive, checkout, home).trusted
    users(home, '[mirror.wandb]\nbase_url = "https://lab.example"\n')
    assert not settle(archive, checkout, home).trusted
    assert settle(archive, checkout, home, WANDB_BASE_URL="https://api.wandb.ai").trusted
    archives(archive, '[mirror.wandb]\nbase_url = "https://LAB.example/"\n')
    assert settle(archive, checkout, home).trusted


def test_an_archive_names_no_address_in_the_clear_that_is_not_the_users(home, checkout, archive):
    archives(archive, '[mirror.wandb]\nbase_url = "http://lab.example"\n')
    with pytest.raises(UsageError, match="in the clear"):
        settle(archive, checkout, home)
    users(home, '[mirror.wandb]\nbase_url = "http://lab.example"\n')
    assert settle(archive, checkout, home).trusted


def test_a_destination_is_told_for_people(home, checkout, archive):
    assert destinations.told(settle(archive, checkout, home)) == "wandb (https://api.wandb.ai)"
    to = settle(archive, checkout, home, WANDB_ENTITY="lab", WANDB_PROJECT="evals")
    assert destinations.told(to) == "wandb (lab/evals at https://api.wandb.ai)"
