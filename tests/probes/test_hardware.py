import os
from pathlib import Path

import pytest

from reprokit.probes import hardware

CONTAINER_ID = "0123456789abcdef" * 4


def put(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def with_gpus(tmp_path):
    """Put a program called `nvidia-smi` on a PATH of its own."""

    def make(script):
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}

    return make


def test_this_machine_is_described():
    system = hardware.operating_system()
    machine = hardware.machine(dict(os.environ))

    assert {"system", "kernel", "machine"} <= system.keys()
    assert all(isinstance(value, str) and value for value in system.values())
    assert machine["cpu_cores"] >= machine["cpu_cores_usable"] >= 1
    assert machine["memory_bytes"] > 2**26


def test_processor_memory_and_limit_are_read(tmp_path):
    put(
        tmp_path,
        {
            "proc/cpuinfo": "processor\t: 0\nmodel name\t: Toy CPU @ 1 GHz\nmodel name\t: Toy CPU @ 1 GHz\n",
            "proc/meminfo": "MemTotal:       1024 kB\nMemFree: 1 kB\n",
            "sys/fs/cgroup/memory.max": "524288\n",
        },
    )
    facts = hardware.machine({"PATH": ""}, tmp_path)

    assert (facts["cpu"], facts["memory_bytes"], facts["memory_limit_bytes"]) == ("Toy CPU @ 1 GHz", 1 << 20, 1 << 19)


@pytest.mark.parametrize("limit", ["max\n", "9223372036854771712\n", ""])
def test_no_limit_is_no_limit(tmp_path, limit):
    put(tmp_path, {"sys/fs/cgroup/memory.max": limit})

    assert "memory_limit_bytes" not in hardware.machine({"PATH": ""}, tmp_path)


def test_what_a_machine_does_not_tell_is_left_out(tmp_path):
    facts = hardware.machine({"PATH": ""}, tmp_path)

    assert "memory_bytes" not in facts
    assert facts["gpus"] == {"unknown": "`nvidia-smi` is not there"}


def test_gpus_are_listed(with_gpus):
    environ = with_gpus("echo '0, NVIDIA A100, GPU-1, 81920, 550.54'; echo '1, NVIDIA H100, GPU-2, [N/A], 550.54'")

    assert hardware.machine(environ)["gpus"] == [
        {"index": "0", "name": "NVIDIA A100", "uuid": "GPU-1", "driver": "550.54", "memory_bytes": 81920 << 20},
        {"index": "1", "name": "NVIDIA H100", "uuid": "GPU-2", "driver": "550.54"},
    ]


def test_a_driver_that_fails_or_hangs_is_an_unknown_with_a_reason(with_gpus, monkeypatch):
    monkeypatch.setattr(hardware, "PATIENCE", 0.2)
    environ = with_gpus('test "$HANG" && exec sleep 30; exit 9')

    assert hardware.machine(environ)["gpus"] == {"unknown": "`nvidia-smi` ended with status 9"}
    assert hardware.machine({**environ, "HANG": "1"})["gpus"] == {"unknown": "`nvidia-smi` did not answer in time"}


def test_a_driver_that_cannot_be_run_is_an_unknown_with_a_reason(with_gpus):
    environ = with_gpus("")
    program = Path(environ["PATH"].partition(os.pathsep)[0], "nvidia-smi")
    program.write_text("#!/no/such/program\n")

    assert hardware.machine(environ)["gpus"] == {"unknown": "`nvidia-smi` could not be run: No such file or directory"}


def test_outside_of_a_container_there_is_none(tmp_path):
    put(tmp_path, {"proc/self/cgroup": "0::/user.slice\n"})

    assert hardware.container({}, tmp_path) is None


def test_docker_is_recognised(tmp_path):
    put(tmp_path, {".dockerenv": "", "proc/self/cgroup": f"12:pids:/docker/{CONTAINER_ID}\n0::/\n"})

    assert hardware.container({}, tmp_path) == {"engine": "docker", "id": CONTAINER_ID}


def test_podman_tells_its_image(tmp_path):
    put(tmp_path, {"run/.containerenv": 'engine="podman-4.9"\nname="x"\nimage="example.org/evals:1"\nimageid="ab"\n'})

    assert hardware.container({}, tmp_path) == {
        "engine": "podman-4.9",
        "image": "example.org/evals:1",
        "imageid": "ab",
    }


def test_apptainer_and_kubernetes_are_recognised(tmp_path):
    environ = {"APPTAINER_CONTAINER": "/images/evals.sif", "KUBERNETES_SERVICE_HOST": "10.0.0.1", "APPTAINER_NAME": ""}

    assert hardware.container(environ, tmp_path) == {
        "engine": "apptainer",
        "APPTAINER_CONTAINER": "/images/evals.sif",
        "orchestrator": "kubernetes",
    }
