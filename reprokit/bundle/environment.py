"""The software and the machine a run had: `environment/environment.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.values import Digest, Json, Unknown

SCHEMA = "https://w3id.org/reprokit/v1/environment.schema.json"


class Package(Struct, frozen=True, kw_only=True):
    """One installed distribution."""

    name: Annotated[str, Meta(examples=["lm_eval"])]
    version: str
    record_digest: Annotated[
        Digest | None,
        Meta(
            description="digest of what its RECORD says of the installed files, the same wherever and by whatever it "
            "was installed: over the sorted lines `path,digest,size`, joined by newlines, without compiled files, "
            "scripts and what installers add (RECORD, INSTALLER, REQUESTED, direct_url.json, provenance_url.json, "
            "uv_build.json, uv_cache.json). null where there is no RECORD, and for an editable install, whose files "
            "are in `source/`"
        ),
    ] = None
    direct_url: Annotated[
        Json, Meta(description="its `direct_url.json` (PEP 610), credentials removed, when it came from no index")
    ] = None
    editable: bool = False
    from_system: Annotated[bool, Meta(description="it belongs to the operating system, not to an environment")] = False


class Interpreter(Struct, frozen=True, kw_only=True):
    """One Python that took part in the run."""

    executable: Annotated[str, Meta(examples=["/home/ada/venv/bin/python"])]
    prefix: str
    base_prefix: str
    version: Annotated[str, Meta(examples=["3.11.7"])]
    implementation: Annotated[str, Meta(examples=["cpython"])]
    processes: Annotated[int, Meta(description="how many processes it ran in")] = 1


class Environment(Struct, frozen=True, kw_only=True):
    """What the evaluation ran with and on."""

    schema: str = SCHEMA
    learnt_from: Annotated[
        Literal["probe", "command", "nothing"],
        Meta(
            description="`probe`: seen inside the evaluation's own processes; `command`: read from the interpreter "
            "behind the command; `nothing`: neither could be had"
        ),
    ]
    interpreter: Annotated[
        Interpreter | None, Meta(description="the Python that ran the evaluation; null when there was none or unknown")
    ] = None
    other_interpreters: list[Interpreter] = []
    packages: list[Package] | Unknown
    modules: Annotated[
        dict[str, str], Meta(description="top-level modules from outside the installed packages, with their file")
    ] = {}
    loaded_from_cache: Annotated[
        list[str], Meta(description="files read from a Hugging Face cache; the path holds the revision")
    ] = []
    hosts: Annotated[
        list[str], Meta(description="`host:port` that the evaluation connected to, or tried to, as the program gave it")
    ] = []
    lookups: Annotated[
        list[str],
        Meta(description="`host:port` whose addresses the evaluation looked up", examples=[["localhost:8000"]]),
    ] = []
    determinism: Annotated[
        dict[str, str],
        Meta(
            description="variables that steer seeds and determinism, as they were when the evaluation's process ended"
        ),
    ] = {}
    torch: Annotated[dict[str, Json], Meta(description="what torch says of itself, when it was loaded")] = {}
    platform: Annotated[dict[str, str] | None, Meta(description="operating system; null when it is not known")] = None
    hardware: Annotated[dict[str, Json] | None, Meta(description="CPU, memory, GPUs; null when not known")] = None
    container: Annotated[dict[str, str] | None, Meta(description="container facts, when there are any")] = None
    missing: Annotated[list[str], Meta(description="what may be absent from this record, and why")] = []
