"""Which wheels fit the machine of a run, against what pip's own rules say of this one."""

import platform

import msgspec
import pytest
from packaging import tags
from packaging.version import Version

from reprokit.audit.asking import fitting
from reprokit.bundle.environment import Environment, Interpreter
from reprokit.bundle.values import Unknown
from reprokit.probes import hardware


def environment(version="3.11.7", implementation="cpython", **system):
    facts = {"system": "Linux", "machine": "x86_64", "libc": "glibc 2.36"} | system
    interpreter = Interpreter(
        executable="python", prefix="/", base_prefix="/", version=version, implementation=implementation
    )
    known = {name: value for name, value in facts.items() if value}
    return Environment(
        learnt_from="probe", interpreter=interpreter, packages=Unknown(unknown="no matter"), platform=known
    )


def fits(name, **how):
    accepted = fitting.accepted(environment(**how))
    assert isinstance(accepted, frozenset)
    return fitting.fits(name, accepted)


def test_of_this_machine_the_tags_are_those_of_its_own_python():
    here = environment(version=platform.python_version(), **hardware.operating_system())
    assert fitting.accepted(here) == frozenset(tags.sys_tags())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("toy-1.0-py3-none-any.whl", True),
        ("toy-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", True),
        ("toy-1.0-cp38-abi3-manylinux2014_x86_64.whl", True),
        ("toy-1.0-cp311-cp311-manylinux_2_36_x86_64.whl", True),
        ("toy-1.0-cp311-cp311-manylinux_2_37_x86_64.whl", False),
        ("toy-1.0-cp312-cp312-manylinux2014_x86_64.whl", False),
        ("toy-1.0-cp311-cp311-manylinux2014_aarch64.whl", False),
        ("toy-1.0-cp311-cp311-musllinux_1_1_x86_64.whl", False),
        ("toy-1.0-cp311-cp311-macosx_11_0_arm64.whl", False),
        ("toy-1.0.tar.gz", False),
        ("toy-1.0.whl", False),
    ],
)
def test_a_wheel_fits_or_does_not(name, expected):
    assert fits(name) is expected


def test_an_old_wheel_fits_an_old_machine_of_intel_only():
    assert fits("toy-1.0-cp311-cp311-manylinux1_x86_64.whl")
    assert not fits("toy-1.0-cp311-cp311-manylinux1_aarch64.whl", machine="aarch64")
    assert fits("toy-1.0-cp311-cp311-manylinux2014_aarch64.whl", machine="aarch64")


def test_musl_has_wheels_of_its_own():
    assert fits("toy-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", libc="musl 1.2.4")
    assert not fits("toy-1.0-cp311-cp311-musllinux_1_2_x86_64.whl", libc="musl 1.1.24")


@pytest.mark.parametrize(
    "how", [{"libc": ""}, {"machine": "x; rm"}, {"system": "Darwin"}, {"implementation": "pypy"}, {"version": "none"}]
)
def test_what_was_not_recorded_is_not_guessed(how):
    assert isinstance(fitting.accepted(environment(**how)), str)


def test_a_wheel_for_every_machine_fits_whatever_was_recorded():
    unknown = environment(libc="")
    assert fitting.fits("toy-1.0-py3-none-any.whl", fitting.any_machine(unknown))
    assert not fitting.fits("toy-1.0-cp311-cp311-linux_x86_64.whl", fitting.any_machine(unknown))
    assert fitting.any_machine(msgspec.structs.replace(unknown, interpreter=None)) == frozenset()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Flask_Thing-1.0-py3-none-any.whl", True),
        ("flask.thing-1.0.0.tar.gz", True),
        ("flask_thing-1.0-1-py3-none-any.whl", True),
        ("flask_thing-1.1-py3-none-any.whl", False),
        ("flask-1.0.tar.gz", False),
        ("flask_thing-nonsense.tar.gz", False),
        ("flask_thing.whl", False),
    ],
)
def test_a_file_is_of_a_version_of_a_package(name, expected):
    assert fitting.is_of(name, "flask-thing", Version("1.0")) is expected


def test_a_local_version_is_another_one():
    assert fitting.is_of("torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl", "torch", Version("2.13.0+cpu"))
    assert not fitting.is_of("torch-2.13.0+cpu-cp311-cp311-linux_x86_64.whl", "torch", Version("2.13.0"))
