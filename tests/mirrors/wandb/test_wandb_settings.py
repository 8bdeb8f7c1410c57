"""Where bundles go on W&B, who said so, and which key may go along."""

import msgspec
import pytest

from reprokit.errors import InputMissingError, UsageError
from reprokit.mirrors.interface import Destination
from reprokit.mirrors.table import mirror
from reprokit.mirrors.wandb import key
from reprokit.mirrors.wandb.settings import destination, options

KEY = "local" + "k" * 40
OTHER = "local" + "o" * 40


@pytest.fixture
def home(tmp_path):
    """Give a home folder in which W&B's own programs have kept nothing yet."""
    (tmp_path / ".config/wandb").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def settle(home):
    """Give a function that settles a destination in that home."""

    def settle(settings=None, *, own=False, **environment):
        return destination(settings or {}, {"HOME": str(home), **environment}, own=own)

    return settle


def users(home, text):
    (home / ".config/wandb/settings").write_text(f"[default]\n{text}\n")


def netrc(home, *machines, login="user"):
    (home / ".netrc").write_text(
        "".join(f"machine {host}\n  login {login}\n  password {secret}\n" for host, secret in machines)
    )
    (home / ".netrc").chmod(0o600)


def test_without_any_setting_bundles_go_to_the_service_under_our_own_project(settle):
    to = settle()
    assert (to.mirror, to.mode, to.address, to.trusted) == ("wandb", "online", "https://api.wandb.ai", True)
    assert (options(to).project, options(to).job_type, options(to).entity) == ("reprokit", "eval", None)


def test_the_mirror_of_the_table_is_this_one(home):
    to = mirror("wandb").destination({}, {"HOME": str(home)}, own=False)
    assert to.mirror == mirror("wandb").name == "wandb"


def test_the_environment_stands_above_the_file_and_the_file_above_the_settings_of_wandb_itself(settle, home):
    users(home, "entity = theirs\nproject = theirs\nbase_url = https://theirs.example.org/")
    file = {"project": "file", "group": "file", "tags": ["file"]}
    to = settle(file, WANDB_RUN_GROUP="environment", WANDB_TAGS="a, b,,a")
    found = options(to)
    assert (found.entity, found.project, found.group, found.tags) == ("theirs", "file", "environment", ("a", "b"))
    assert to.address == "https://theirs.example.org"


def test_every_setting_reaches_the_options(settle):
    file = {"entity": "lab", "project": "p", "group": "g", "job_type": "j", "tags": ["t"], "notes": "n", "name": "r"}
    found = options(settle(file | {"sample_rows": 7}, WANDB_DIR="/somewhere"))
    assert (found.entity, found.project, found.group, found.job_type) == ("lab", "p", "g", "j")
    assert (found.tags, found.notes, found.name, found.sample_rows, found.folder) == (("t",), "n", "r", 7, "/somewhere")


def test_a_destination_survives_the_outbox(settle):
    to = settle({"entity": "lab", "tags": ["a"], "sample_rows": 0})
    again = msgspec.json.decode(msgspec.json.encode(to), type=Destination)
    assert options(again) == options(to)


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ("online", "online"),
        ("shared", "online"),
        ("offline", "offline"),
        ("dryrun", "offline"),
        ("disabled", "disabled"),
        ("", "online"),
    ],
)
def test_the_mode_is_that_of_wandb_itself(settle, said, mode):
    assert settle(WANDB_MODE=said).mode == mode


def test_a_user_who_has_switched_wandb_off_is_heeded(settle, home):
    users(home, "mode = offline")
    assert settle().mode == "offline"
    assert settle(WANDB_MODE="online").mode == "online"


@pytest.mark.parametrize(
    ("settings", "environment", "named"),
    [
        ({"projekt": "x"}, {}, "did you mean `project`"),
        ({"api_key": KEY}, {}, "known are"),
        ({"entity": 3}, {}, 'entity = "…"'),
        ({"tags": "a"}, {}, 'tags = ["baseline"]'),
        ({"tags": ["x" * 65]}, {}, "65 characters"),
        ({"sample_rows": 10_001}, {}, "10000"),
        ({"sample_rows": True}, {}, "10000"),
        ({"project": "a/b"}, {}, "may stand in it"),
        ({"project": "x" * 129}, {}, "129 characters"),
        ({}, {"WANDB_ENTITY": "a b"}, "may stand in it"),
        ({"group": "x\ny"}, {}, "control character"),
        ({}, {"WANDB_MODE": "onlin"}, "`online`"),
        ({}, {"WANDB_BASE_URL": "ftp://example.org"}, "no address"),
        ({}, {"WANDB_BASE_URL": "https://wandb.ai"}, "https://api.wandb.ai"),
        ({}, {"WANDB_BASE_URL": "http://api.wandb.ai"}, "in the clear"),
        ({"base_url": "https://a b/"}, {}, "mirror.wandb.base_url"),
        ({"base_url": "https://host:port/"}, {}, "nobody can read"),
        ({"base_url": "https://host/?q=1"}, {}, "no address"),
    ],
)
def test_what_cannot_be_followed_is_named(settle, settings, environment, named):
    with pytest.raises(UsageError) as raised:
        settle(settings, **environment)
    assert named in f"{raised.value.message}\n{raised.value.hint}"


@pytest.mark.parametrize("variable", ["WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_JOB_TYPE"])
@pytest.mark.parametrize(
    ("said", "shown"),
    [("x" * 200, "x" * 128), ("a\nb", "a b"), ("x" * 127 + " y", "x" * 127), ("\x1b[31m", "[31m"), ("a\udcff", "a?")],
)
def test_what_the_environment_says_of_another_run_is_made_to_fit(settle, variable, said, shown):
    key_of = {"WANDB_NAME": "name", "WANDB_RUN_GROUP": "group", "WANDB_JOB_TYPE": "job_type"}[variable]
    to = settle(**{variable: said})
    assert to.options[key_of] == shown
    msgspec.json.encode(to)


def test_tags_and_notes_of_another_run_are_made_to_fit_and_what_is_nothing_then_is_left_out(settle):
    to = settle(WANDB_TAGS=f"{'t' * 65},\x07,a\nb,ok", WANDB_NOTES="one\ntwo\udcff", WANDB_NAME="\x07")
    assert options(to).tags == ("t" * 64, "a b", "ok")
    assert (options(to).notes, options(to).name) == ("one\ntwo?", None)
    msgspec.json.encode(to)


def test_an_address_with_credentials_is_refused_and_not_repeated(settle):
    with pytest.raises(UsageError) as raised:
        settle(WANDB_BASE_URL="https://ada:hunter2@example.org")
    assert "hunter2" not in f"{raised.value.message}{raised.value.hint}"


def test_a_laboratory_may_speak_plain_http(settle):
    assert settle(WANDB_BASE_URL="http://wandb.lab.example:8080/").address == "http://wandb.lab.example:8080"


# --- whose word an address is, and which key goes there -----------------------------------------------------------------


def test_a_key_from_the_environment_goes_where_the_user_pointed(settle, home):
    for to in (
        settle(WANDB_BASE_URL="http://lab.example"),
        settle({"base_url": "http://lab.example"}, own=True),
        settle(),
    ):
        assert to.trusted
        assert key.find(to, {"HOME": str(home), "WANDB_API_KEY": KEY}) == KEY


def test_a_key_from_the_environment_never_goes_where_only_an_archive_points(settle, home):
    to = settle({"base_url": "https://stranger.example"})
    assert not to.trusted
    with pytest.raises(InputMissingError) as raised:
        key.find(to, {"HOME": str(home), "WANDB_API_KEY": KEY})
    assert "set WANDB_BASE_URL" in raised.value.hint
    assert KEY not in raised.value.message + raised.value.hint


def test_an_archive_that_names_the_users_own_server_is_no_stranger(settle, home):
    users(home, "base_url = http://lab.example")
    assert settle({"base_url": "http://LAB.example/"}).trusted


def test_a_key_that_is_stored_for_this_very_host_goes_there(settle, home):
    netrc(home, ("other.example", OTHER), ("stranger.example:8080", KEY))
    to = settle({"base_url": "https://stranger.example:8080"})
    assert not to.trusted
    assert key.find(to, {"HOME": str(home)}) == KEY
    without_port = settle({"base_url": "https://stranger.example"})
    with pytest.raises(InputMissingError):
        key.find(without_port, {"HOME": str(home)})


def test_what_another_service_has_in_the_netrc_file_is_no_key_for_where_only_an_archive_points(settle, home):
    netrc(home, ("github.com", KEY), login="ada")
    with pytest.raises(InputMissingError):
        key.find(settle({"base_url": "https://github.com"}), {"HOME": str(home)})
    # Where the user points, any entry is the user's word.
    assert key.find(settle(WANDB_BASE_URL="https://github.com"), {"HOME": str(home)}) == KEY


def test_nothing_goes_in_the_clear_where_only_an_archive_points(settle, home):
    netrc(home, ("stranger.example", KEY))
    with pytest.raises(UsageError, match="in the clear"):
        settle({"base_url": "http://stranger.example"})
    # As an outbox may say that was written by somebody else.
    forged = Destination(mirror="wandb", address="http://stranger.example", trusted=False)
    with pytest.raises(InputMissingError) as raised:
        key.find(forged, {"HOME": str(home), "WANDB_API_KEY": KEY})
    assert "in the clear" in raised.value.hint


def test_the_service_itself_is_a_stranger_to_whoever_uses_another(settle, home):
    users(home, "base_url = https://wandb.lab.example")
    to = settle({"base_url": "https://api.wandb.ai"})
    assert not to.trusted
    with pytest.raises(InputMissingError):
        key.find(to, {"HOME": str(home), "WANDB_API_KEY": KEY})


def test_the_default_entry_of_a_netrc_file_is_for_nobody(settle, home):
    (home / ".netrc").write_text(f"default\n  login user\n  password {KEY}\n")
    (home / ".netrc").chmod(0o600)
    with pytest.raises(InputMissingError):
        key.find(settle(), {"HOME": str(home)})


def test_the_key_of_the_service_is_found_under_either_of_its_names(settle, home):
    netrc(home, ("api.forge.coreweave.com", KEY))
    assert key.find(settle(), {"HOME": str(home)}) == KEY


def test_netrc_is_where_the_environment_says(settle, home):
    netrc(home, ("api.wandb.ai", KEY))
    (home / ".netrc").rename(home / "elsewhere")
    assert key.find(settle(), {"HOME": str(home), "NETRC": "~/elsewhere"}) == KEY


@pytest.mark.parametrize(
    ("given", "why"),
    [("short", "5 characters"), ("x" * 39, "39 characters"), ("é" * 40, "no key has"), ("a b" * 20, "no key has")],
)
def test_what_can_be_no_key_is_told_before_the_client_asks_for_another(settle, home, given, why):
    with pytest.raises(InputMissingError) as raised:
        key.find(settle(), {"HOME": str(home), "WANDB_API_KEY": given})
    assert why in raised.value.message
    assert given not in raised.value.message
    assert "wandb login" in raised.value.hint


@pytest.mark.parametrize("given", ["k" * 40, "local-" + "k" * 40, "wandb_v1_" + "k" * 60, "aaa.bbb.ccc"])
def test_every_form_of_a_key_is_taken(settle, home, given):
    assert key.find(settle(), {"HOME": str(home), "WANDB_API_KEY": f" {given}\n"}) == given


def test_a_malformed_netrc_file_is_told_without_its_text(settle, home):
    (home / ".netrc").write_text("machine api.wandb.ai secretword\n")
    with pytest.raises(InputMissingError) as raised:
        key.find(settle(), {"HOME": str(home)})
    assert "secretword" not in f"{raised.value.message}{raised.value.hint}"


def test_settings_of_wandb_that_are_no_text_at_all_are_as_none(settle, home):
    (home / ".config/wandb/settings").write_bytes(b"\xff\x00[[[")
    assert settle().address == "https://api.wandb.ai"


def test_an_outbox_file_that_was_changed_is_refused():
    with pytest.raises(UsageError):
        options(Destination(mirror="wandb", address="https://api.wandb.ai", options={"project": ["x"]}))
