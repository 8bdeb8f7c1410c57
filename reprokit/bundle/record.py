"""The record of a run: `bundle.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from reprokit.bundle.finding import Finding
from reprokit.bundle.values import Argument, Digest, Json, Time, Unknown

SCHEMA = "https://w3id.org/reprokit/v1/bundle.schema.json"
FORMAT = 1

Role = Literal["harness", "samples", "results", "environment", "source", "process"]


class Variable(Struct, frozen=True, kw_only=True):
    """One environment variable the evaluation was given."""

    name: Annotated[str, Meta(examples=["HF_HUB_OFFLINE"])]
    value: Annotated[Argument, Meta(description="text, or parts of it with slots where secrets stood")]


class Output(Struct, frozen=True, kw_only=True):
    """A place the command was told to write to, so that a re-run can be told another."""

    path: Annotated[str, Meta(description="as given", examples=["results"])]
    argument: Annotated[int | None, Meta(description="index in argv of the argument that names it")] = None
    prefix: Annotated[str, Meta(description="what stands before it in that argument", examples=["--output_path="])] = ""
    holds: Annotated[
        Literal["results", "samples"] | None,
        Meta(description="what the file is for, when a person named it; null for a harness's folder"),
    ] = None


class Input(Struct, frozen=True, kw_only=True):
    """A file or folder that the command line names and that was there when the run began."""

    path: Annotated[str, Meta(description="as given", examples=["tasks"])]
    argument: Annotated[int, Meta(description="index in argv of the argument that names it")]
    kind: Literal["file", "folder"]
    inside: Annotated[bool, Meta(description="it lies in the checkout that the source record describes")]
    digest: Annotated[Digest | None, Meta(description="of a file's bytes; null for a folder or a huge file")] = None


class Invocation(Struct, frozen=True, kw_only=True):
    """What was asked."""

    argv: Annotated[
        list[Argument] | Unknown,
        Meta(
            description="the command line; an argument that held a secret is a list of its parts",
            examples=[["lm_eval", "run", ["api_key=", {"secret": "OPENAI_API_KEY"}]]],
        ),
    ]
    program: Annotated[str | Unknown, Meta(description="the file that argv[0] named")]
    program_in: Annotated[
        Literal["environment", "source", "system", "unknown"],
        Meta(description="where that file comes from at a re-run: the rebuilt environment, the checkout, the machine"),
    ]
    working_directory: str | Unknown
    source: Annotated[
        str | None, Meta(description="name of the source record that the working directory lies in, if any")
    ] = None
    directory_in_source: Annotated[str, Meta(description="the working directory, relative to that checkout")] = "."
    environment_variables: list[Variable] | Unknown
    inputs: list[Input] = []
    outputs: list[Output] = []


class Run(Struct, frozen=True, kw_only=True):
    """What happened."""

    started: Time | Unknown
    ended: Time | Unknown
    exit_code: Annotated[int | Unknown | None, Meta(description="null when a signal ended it")]
    signal: Annotated[str | None, Meta(description="the signal that ended it", examples=["SIGTERM"])] = None
    complete: Annotated[bool, Meta(description="it ended well and left complete result files")]
    host: str | Unknown
    launcher: Annotated[dict[str, str], Meta(description="what started it: SLURM, torchrun, accelerate")] = {}
    resources: Annotated[
        dict[str, float], Meta(description="user_seconds, system_seconds, peak_memory_bytes, of all its processes")
    ] = {}
    streams: Annotated[
        dict[str, str], Meta(description="how each stream was recorded: `pipe`, `terminal`, `file`, `with stdout`")
    ] = {}


class Harness(Struct, frozen=True, kw_only=True):
    """The program that evaluated, and what it says of itself."""

    name: Annotated[str, Meta(examples=["lm_eval"])]
    version: str | Unknown
    version_from: Annotated[
        Literal["environment", "claim", "nothing"], Meta(description="seen among the packages, or said by the harness")
    ]
    claims: Annotated[dict[str, Json], Meta(description="what it wrote about itself and the run, unverified")] = {}
    fields: Annotated[
        dict[str, list[str]],
        Meta(
            description="for a program of one's own, the keys of its samples that a person named for members of ours",
            examples=[{"response": ["model_answer"]}],
        ),
    ] = {}


class SubjectFile(Struct, frozen=True, kw_only=True):
    """One file of a model or a dataset, as it lay there when the run had ended."""

    path: Annotated[str, Meta(description="below the part's `place`, or as given", examples=["model.safetensors"])]
    role: Literal["weights", "adapter", "tokenizer", "template", "configuration", "code", "data", "other"]
    size: Annotated[int | None, Meta(description="bytes; null when it could not be looked at")] = None
    modified: Annotated[Time | None, Meta(description="when it was last written to; null for files of a cache")] = None
    digest: Annotated[Digest | None, Meta(description="of the file's bytes")] = None
    digest_from: Annotated[
        Literal["bytes", "cache name", "nothing"],
        Meta(
            description="`bytes`: the file was read; `cache name`: a Hugging Face cache calls the file by this digest, "
            "and it was not read again"
        ),
    ] = "nothing"
    reason: Annotated[str | None, Meta(description="why there is no digest")] = None


class SubjectText(Struct, frozen=True, kw_only=True):
    """A text that a model's prompts are made with."""

    kind: Literal["chat template", "system prompt"]
    name: Annotated[str | None, Meta(description="of a template among several", examples=["tool_use"])] = None
    digest: Annotated[Digest, Meta(description="of the text in UTF-8")]
    size: Annotated[int, Meta(ge=0, description="bytes of the text in UTF-8")]
    learnt_from: Annotated[
        Literal["claim", "argv", "file", "server"],
        Meta(description="`file`: it lies in the model's folder, which does not mean that it was used"),
    ]
    file: Annotated[str | None, Meta(description="the file that holds it", examples=["tokenizer_config.json"])] = None


class ServedModel(Struct, frozen=True, kw_only=True):
    """A model that a server listed."""

    name: str
    root: Annotated[str | None, Meta(description="what the server says it was loaded from")] = None
    longest: Annotated[int | None, Meta(description="tokens that prompt and answer may have together")] = None


class Server(Struct, frozen=True, kw_only=True):
    """A server that answered for a model: what it said when it was asked, without credentials, after the run."""

    endpoint: Annotated[
        str, Meta(description="without credentials and query", examples=["http://127.0.0.1:8000/v1/completions"])
    ]
    learnt_from: Annotated[Literal["argv", "claim", "environment"], Meta(description="what named the endpoint")]
    used: Annotated[bool | None, Meta(description="the run was seen to use it; null when nobody could see")] = None
    asked: Annotated[Time | Unknown, Meta(description="when it was asked, or why it was not")]
    software: Annotated[str | None, Meta(examples=["vllm", "tgi", "sglang", "llama.cpp"])] = None
    version: Annotated[str | Unknown, Meta(examples=["0.11.0"])]
    models: list[ServedModel] | Unknown
    facts: Annotated[dict[str, Json], Meta(description="what else it says that bears on its answers")] = {}


class SubjectPart(Struct, frozen=True, kw_only=True):
    """A model or a dataset that took part."""

    name: Annotated[str, Meta(examples=["toy-org/tiny-gpt2"])]
    revision: Annotated[str | Unknown, Meta(description="full commit")]
    learnt_from: Annotated[
        str,
        Meta(
            description="how the revision was learnt. `cache read`: the run opened a file of that revision; `argv`: "
            "the command asked for that commit; `server`: the server said so; `cache refs`: the branch or tag pointed "
            "to it in the Hugging Face cache when the run had ended; `prepared cache`: the only prepared copy of the "
            "dataset was made from it; `claim`: the harness says so; `nothing`: it is not known",
            examples=["cache read", "argv", "server", "cache refs", "prepared cache", "claim", "nothing"],
        ),
    ]
    revisions: Annotated[
        dict[str, list[str]],
        Meta(
            description="what each source says of the revision, so that one sees where they differ",
            examples=[{"argv": ["main"], "cache refs": ["5f91d94bd9cd7190a9f3216ff93cd1dd95f2c7be"]}],
        ),
    ] = {}
    place: Annotated[
        str | None, Meta(description="the local file or folder; `cache:` stands for the Hugging Face cache")
    ] = None
    files: Annotated[list[SubjectFile], Meta(description="what lies at that place, as far as it bears on the run")] = []
    files_left_out: Annotated[int, Meta(ge=0, description="how many more files there are, beyond what is listed")] = 0
    texts: Annotated[list[SubjectText], Meta(description="chat templates and system prompts")] = []
    server: Annotated[Server | None, Meta(description="the server that answered for it, if one did")] = None
    tasks: Annotated[list[str], Meta(description="the tasks that used it")] = []
    extra: dict[str, Json] = {}


class Subject(Struct, frozen=True, kw_only=True):
    """What was evaluated, and on what."""

    models: list[SubjectPart] = []
    datasets: list[SubjectPart] = []


class SourceSummary(Struct, frozen=True, kw_only=True):
    """The head of one source record."""

    name: str
    record: Annotated[str, Meta(examples=["source/my-evals.json"])]
    commit: str | None
    tree: str
    dirty: bool


class File(Struct, frozen=True, kw_only=True):
    """One file of the payload, as it was before it was stored."""

    path: Annotated[str, Meta(description="its path under `data/`, without `.zst`")]
    role: Role
    size: Annotated[int, Meta(ge=0, description="bytes, uncompressed")]
    digest: Annotated[Digest, Meta(description="of the uncompressed bytes")]
    stored: Annotated[str, Meta(description="its path under `data/` as stored", examples=["samples/toy_mc.jsonl.zst"])]
    name: Annotated[str | None, Meta(description="the harness's own path, when it could not be stored so")] = None


class Withheld(Struct, frozen=True, kw_only=True):
    """A file that was kept out of the bundle, and why."""

    path: str
    reason: Annotated[str, Meta(examples=["holds the secret OPENAI_API_KEY"])]


class Record(Struct, frozen=True, kw_only=True):
    """Everything about one run that a machine wants to read first."""

    schema: str = SCHEMA
    format: int = FORMAT
    origin: Annotated[
        Literal["live", "finished"], Meta(description="watched while it ran, or captured from finished outputs")
    ]
    invocation: Invocation
    run: Run
    harness: Harness
    subject: Subject = Subject()
    environment_summary: Annotated[
        dict[str, str], Meta(description="the environment in a few words", examples=[{"python": "3.11.7"}])
    ] = {}
    sources: list[SourceSummary] | Unknown
    findings: list[Finding] = []
    files: list[File] = []
    withheld: list[Withheld] = []
    samples: Annotated[
        Literal["full", "digest"],
        Meta(description="whether samples were kept as they are, or as digests only because their content is private"),
    ] = "full"
    reproduces: Annotated[Digest | None, Meta(description="identity of the bundle that this run reproduced")] = None
