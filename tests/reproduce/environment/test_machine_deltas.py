"""Two machines differ in what is known of both; what nobody knows is unknown, and no difference."""

from __future__ import annotations

import os

import pytest

from reprokit.bundle.environment import Environment
from reprokit.bundle.values import Unknown
from reprokit.reproduce.environment.machine import machine_deltas, present_machine

PLATFORM = {"system": "Linux", "release": "Ubuntu 24.04", "kernel": "6.8", "machine": "x86_64", "libc": "glibc 2.39"}
A100 = {"index": "0", "name": "NVIDIA A100", "uuid": "GPU-1", "driver": "550.1"}
H100 = {"index": "0", "name": "NVIDIA H100", "uuid": "GPU-9", "driver": "580.2"}
NO_DRIVER = {"unknown": "`nvidia-smi` is not there"}


def machine(*, platform=PLATFORM, gpus=(A100,), torch=None, cpu="EPYC"):
    return Environment(
        learnt_from="probe",
        packages=Unknown(unknown="a test"),
        platform=platform,
        hardware={"cpu": cpu, "gpus": list(gpus) if isinstance(gpus, tuple) else gpus},
        torch=torch or {},
    )


def told(recorded, here):
    return {each.what: (each.recorded, each.here) for each in machine_deltas(recorded, here)}


def test_one_machine_does_not_differ_from_itself():
    assert machine_deltas(machine(), machine()) == []
    here = present_machine(os.environ)

    assert machine_deltas(here, here) == []


def test_system_libc_architecture_and_processor_are_compared_and_the_kernel_is_not():
    other = {"system": "Linux", "release": "Debian 13", "kernel": "6.12", "machine": "aarch64", "libc": "glibc 2.41"}

    assert told(machine(), machine(platform=other, cpu="Grace")) == {
        "operating system": ("Ubuntu 24.04", "Debian 13"),
        "libc": ("glibc 2.39", "glibc 2.41"),
        "architecture": ("x86_64", "aarch64"),
        "processor": ("EPYC", "Grace"),
    }


def test_gpus_are_compared_by_model_and_number_and_driver():
    assert told(machine(gpus=(A100, A100)), machine(gpus=(H100,))) == {
        "GPU": ("2 x NVIDIA A100", "1 x NVIDIA H100"),
        "GPU driver": ("550.1", "580.2"),
    }


def test_the_order_of_gpus_and_which_they_are_does_not_matter():
    again = A100 | {"index": "1", "uuid": "GPU-2"}

    assert told(machine(gpus=(A100, H100)), machine(gpus=(H100, again))) == {}


def test_gpus_that_nobody_could_look_at_are_unknown_with_the_reason():
    (gpu, driver) = machine_deltas(machine(), machine(gpus=NO_DRIVER))

    assert (gpu.recorded, gpu.here, gpu.reason) == ("1 x NVIDIA A100", "unknown", "`nvidia-smi` is not there")
    assert (driver.recorded, driver.here) == ("550.1", "unknown")
    assert machine_deltas(machine(gpus=NO_DRIVER), machine(gpus=NO_DRIVER)) == []


def test_a_machine_without_gpus_has_none():
    assert told(machine(), machine(gpus=()))["GPU"] == ("1 x NVIDIA A100", "none")


def test_what_torch_saw_stands_in_for_a_driver_that_was_not_asked():
    recorded = machine(gpus=NO_DRIVER, torch={"devices": ["NVIDIA A100"]})

    assert told(recorded, machine(gpus=(A100,))) == {"GPU driver": ("unknown", "550.1")}


def test_cuda_is_compared_where_torch_was_asked_on_both_sides():
    recorded = machine(torch={"cuda": "12.8", "cudnn": 91002})

    assert told(recorded, machine(torch={"cuda": "13.0", "cudnn": 91002})) == {"CUDA of torch": ("12.8", "13.0")}
    assert told(recorded, machine(torch={"cuda": None})) == {
        "CUDA of torch": ("12.8", "unknown"),
        "cuDNN": ("91002", "unknown"),
    }
    assert told(recorded, machine()) == {}


def test_a_run_whose_machine_is_not_recorded_says_so_once():
    nothing = Environment(learnt_from="nothing", packages=Unknown(unknown="a test"))

    (delta,) = machine_deltas(nothing, machine())

    assert (delta.what, delta.recorded, delta.here) == ("machine", "unknown", "Ubuntu 24.04 x86_64")


@pytest.mark.parametrize("hostile", [[1, None], {"unknown": 3}, "many", [{"name": ["x"], "driver": {}}], 7])
def test_a_hostile_record_of_gpus_is_only_data(hostile):
    assert all(each.what.startswith("GPU") for each in machine_deltas(machine(gpus=hostile), machine()))


def test_the_present_machine_is_seen():
    here = present_machine(os.environ)

    assert here.platform["machine"] == os.uname().machine
    assert here.hardware["gpus"] is not None
