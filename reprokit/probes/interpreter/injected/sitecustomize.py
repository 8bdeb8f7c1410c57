"""The probe inside the evaluation's own Python: one JSON file per process, written at start and again at exit.

Python imports this file on its own, because its folder stands first on `PYTHONPATH`. It gets out of the way at once:
the folder leaves `sys.path`, and the `sitecustomize` that would have been imported without it takes its place.

It must never fail the run, print, or be noticeable. So it imports nothing that is slow to import, and keeps to ASCII
and to a syntax that every Python reads, 2.7 included: a syntax error here would be printed into the evaluation's
stderr. What it learns is read by `reprokit.probes.interpreter`.
"""

# ruff: noqa: ANN001, ANN202, ANN204 - types stand in comments, for the oldest Python's sake
# ruff: noqa: BLE001, S110, S112, SIM105 - whatever goes wrong in here must not reach the evaluation
# ruff: noqa: PLW0108 - an attribute that this version of torch lacks must be missed only when it is asked for
# ruff: noqa: INP001 - nothing but this file may be found in its folder
# ruff: noqa: PTH100, PTH105, PTH108, PTH109, PTH118, PTH119, PTH120, PTH208 - pathlib is slow to import

import os
import sys

try:
    from _json import encode_basestring_ascii as _quote
except ImportError:  # another Python than CPython
    from json import dumps as _quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable  # noqa: F401 - used in comments
    from types import ModuleType  # noqa: F401 - used in comments
    from typing import Any  # noqa: F401 - used in comments

FOLDER = os.path.dirname(os.path.abspath(__file__))
FORMAT = 1
MOST_RECORDS = 4096
MOST_ENTRIES = 1024
MOST_FILES_LISTED = 20000
MOST_TEXT = 4096
STREAM_SOCKET = 1
WRITING = os.O_WRONLY | os.O_RDWR
WRITTEN = (".json", ".jsonl")
LAUNCHERS = ("ACCELERATE_", "GROUP_RANK", "LOCAL_", "MASTER_", "OMPI_", "RANK", "SLURM_", "TORCHELASTIC_", "WORLD_SIZE")
MEDIA = ("lmms_eval.api.task", "lmms_eval_media.py")
INSTALLED_FOLDERS = ("site-packages", "dist-packages")
FLAGS = ("optimize", "no_user_site", "hash_randomization", "utf8_mode", "dev_mode", "safe_path")
VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG", "CUDA_VISIBLE_DEVICES", "LOCAL_RANK", "MKL_CBWR", "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE", "OMP_NUM_THREADS", "PL_GLOBAL_SEED", "PYTHONHASHSEED", "RANK", "TF_DETERMINISTIC_OPS",
    "TOKENIZERS_PARALLELISM", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "WORLD_SIZE",
)  # fmt: skip


def _encode(value):
    # type: (Any) -> str
    """Write a value as JSON; the `json` module would cost more to import than all the rest takes."""
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if type(value) in (int, float):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join([_quote(str(key)) + ":" + _encode(item) for key, item in value.items()]) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join([_encode(item) for item in value]) + "]"
    return _quote(str(value)[:MOST_TEXT])


def _read(path):
    # type: (str) -> bytes
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 1 << 17)
    finally:
        os.close(descriptor)


def _start_ticks():
    # type: () -> int
    """Tell when this process began, so that a pid used again names another file."""
    try:
        return int(_read("/proc/self/stat").rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        import time  # noqa: PLC0415 - only where there is no /proc

        return time.time_ns()


def _arguments():
    # type: () -> list[str]
    arguments = getattr(sys, "orig_argv", None)
    if arguments is None:
        try:
            arguments = [os.fsdecode(each) for each in _read("/proc/self/cmdline").split(b"\0")[:-1]]
        except OSError:
            arguments = getattr(sys, "argv", [])
    return list(arguments[:MOST_ENTRIES])


def _directory():
    # type: () -> str
    try:
        return os.getcwd()
    except OSError:
        return ""


def _distributions(folder):
    # type: (str) -> list[str]
    """List the metadata folders of what is installed in a folder of `sys.path`."""
    names = []
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= MOST_FILES_LISTED:
                    break
                if entry.name.endswith((".dist-info", ".egg-info")):
                    names.append(entry.name)
    except OSError:
        pass
    return sorted(names)


def _file_of(module):
    # type: (ModuleType) -> str | None
    """Find a module's file, or the folder of a package without one, without waking a lazy module."""
    names = object.__getattribute__(module, "__dict__")
    # Python takes `__file__` from a script once it has run; the loader still knows it.
    file = names.get("__file__") or getattr(names.get("__loader__"), "path", None)
    if type(file) is str:
        return file
    folders = getattr(names.get("__path__"), "_path", None)
    if type(folders) is list and folders and type(folders[0]) is str:
        return folders[0]
    return None


def _modules(path, directory):
    # type: (list[str], str) -> tuple[list[str], dict[str, str]]
    """Name the top-level modules that were imported: the installed ones, and the others with their file."""
    separator = os.sep
    installed_in = tuple([each + separator for each in path if os.path.basename(each) in INSTALLED_FOLDERS])
    library = [os.path.dirname(os.__file__)] + [each for each in path if os.path.basename(each) == "lib-dynload"]
    built_in = tuple([each + separator for each in library])
    programs = os.path.join(sys.prefix, "bin") + separator
    installed = []
    others = {}  # type: dict[str, str]
    for name, module in list(sys.modules.items()):
        if type(name) is not str or "." in name:
            continue
        try:
            file = _file_of(module)
        except Exception:
            continue
        if file is None:
            continue
        file = os.path.join(directory, file)
        if file.startswith(installed_in):
            installed.append(name)
        elif not file.startswith(built_in) and not file.startswith(programs) and len(others) < MOST_ENTRIES:
            others[name] = file
    return sorted(installed), others


def _torch():
    # type: () -> dict[str, Any]
    """Let torch say what it is and how it is set, when the evaluation has loaded it."""
    torch = sys.modules.get("torch")  # type: Any
    warnings = sys.modules.get("warnings")  # type: Any
    if torch is None or warnings is None or "__version__" not in object.__getattribute__(torch, "__dict__"):
        return {}
    questions = {
        "version": lambda: str(torch.__version__),
        "cuda": lambda: torch.version.cuda,
        "hip": lambda: torch.version.hip,
        "threads": lambda: torch.get_num_threads(),
        "initial_seed": lambda: torch.initial_seed(),
        "deterministic_algorithms": lambda: torch.are_deterministic_algorithms_enabled(),
        "float32_matmul_precision": lambda: torch.get_float32_matmul_precision(),
        "cudnn_deterministic": lambda: torch.backends.cudnn.deterministic,
        "cudnn_benchmark": lambda: torch.backends.cudnn.benchmark,
    }  # type: dict[str, Callable[[], Any]]
    in_use = getattr(sys.modules.get("torch.cuda"), "is_initialized", bool)  # type: Callable[[], bool]
    if in_use():  # asked of a process that never used CUDA, these would load it
        questions["cudnn"] = lambda: torch.backends.cudnn.version()
        questions["devices"] = lambda: [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())]
    facts = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, ask in questions.items():
            try:
                facts[name] = ask()
            except Exception:
                pass
    return facts


class _Record:
    """What one process tells, and the file it tells it in."""

    def __init__(self, directory):
        # type: (str) -> None
        self.directory = directory
        self.target = ""
        self.start = _directory()
        self.facts = {}  # type: dict[str, Any]
        self.seen = {name: set() for name in ("cache_files", "hosts", "lookups", "written")}  # type: dict[str, set[str]]
        self.before_end = bool  # type: Callable[[], Any]

    def begin(self, forked):
        # type: (bool) -> bool
        """Write the record of a process that has just begun; tell whether that could be done."""
        import time  # noqa: PLC0415 - built in

        host = os.uname().nodename
        process = os.getpid()
        name = "-".join([host.replace(os.sep, "_"), str(process), str(_start_ticks())]) + ".json"
        self.target = os.path.join(self.directory, name)
        facts = {"probe": FORMAT, "host": host, "pid": process, "ppid": os.getppid(), "forked": forked}
        facts["started"] = time.time()
        facts["executable"] = sys.executable or ""
        facts["version"] = ".".join([str(part) for part in sys.version_info[:3]])
        facts["implementation"] = sys.implementation.name
        facts["prefix"] = sys.prefix
        facts["base_prefix"] = sys.base_prefix
        facts["argv"] = _arguments()
        facts["directory"] = _directory()
        facts["launcher"] = {name: os.environ[name] for name in os.environ if name.startswith(LAUNCHERS)}
        self.facts = facts
        if not forked:  # a child of a fork has all this from its parent, and there may be thousands
            facts["flags"] = {name: int(getattr(sys.flags, name)) for name in FLAGS if hasattr(sys.flags, name)}
            self.add_path()
        return self.write(new=True)

    def add_path(self):
        # type: () -> list[str]
        """Take down `sys.path`, what lies in it, and the variables that steer chance."""
        entries = sys.path[:MOST_ENTRIES]  # type: list[Any]
        path = [os.path.join(self.start, each).rstrip(os.sep) for each in entries if isinstance(each, str)]
        known = self.facts.get("distributions", {})
        self.facts["path"] = path
        self.facts["distributions"] = {each: known.get(each) or _distributions(each) for each in path}
        self.facts["variables"] = {name: os.environ[name] for name in VARIABLES if name in os.environ}
        return path

    def end(self):
        # type: () -> None
        """Write the record again, with what only the end of the process knows."""
        try:
            import time  # noqa: PLC0415 - built in

            self.before_end()
            path = self.add_path()
            installed, others = _modules(path, self.start)
            self.facts["installed_modules"] = installed
            self.facts["modules"] = others
            self.facts.update([(name, sorted(found)) for name, found in self.seen.items()])
            self.facts["torch"] = _torch()
            self.facts["ended"] = time.time()
            self.write(new=False)
        except BaseException:  # even an interrupt: the process is ending, and its status is settled
            pass

    def fork(self):
        # type: () -> None
        """Begin the record of a forked child."""
        try:
            self.begin(forked=True)
        except BaseException:  # Python would print it
            pass

    def write(self, new):
        # type: (bool) -> bool
        """Put the record in its place in one step; nowhere to put it is no failure."""
        if not self.target:
            return False
        temporary = self.target + ".tmp"
        try:
            if new and len(os.listdir(self.directory)) >= MOST_RECORDS:
                self.target = ""
                return False
            data = _encode(self.facts).encode("ascii")
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
            finally:
                os.close(descriptor)
            os.replace(temporary, self.target)
        except Exception:
            try:
                os.unlink(temporary)
            except OSError:
                pass
            return False
        return True


def _watch(record):
    # type: (_Record) -> None
    """Note which cached files are opened, which files of results are written and which places are connected to.

    Python calls the hook often (at every `id(x)`, for one), so it is a plain function, which costs a third of a method.
    It catches nothing, because a time limit of the evaluation's own (a signal handler that raises) may strike while it
    runs, and must reach the evaluation. So nothing in it can raise.
    """
    waiting = [MEDIA[0]]

    def hook(event, arguments):
        # type: (str, tuple[Any, ...]) -> None
        if event == "open":
            _note_opened(record, arguments)
        elif event == "os.rename":
            _note_written(record, arguments[1:])
        elif event == "import" and waiting and waiting[0] in sys.modules:
            _watch_media(record, waiting)
        elif event == "socket.connect":
            # A datagram socket is "connected" to learn one's own address; nothing is sent.
            if len(arguments) > 1 and getattr(arguments[0], "type", STREAM_SOCKET) == STREAM_SOCKET:
                _add_place(record.seen["hosts"], arguments[1])
        elif event == "socket.getaddrinfo":
            _add_place(record.seen["lookups"], arguments)

    sys.addaudithook(hook)


def _add(known, text):
    # type: (set[str], str) -> None
    if len(known) < MOST_ENTRIES:
        known.add(text[:MOST_TEXT])


def _note_opened(record, arguments):
    # type: (_Record, tuple[Any, ...]) -> None
    path = arguments[0] if arguments else None
    if type(path) is str and "/snapshots/" in path and ("/models--" in path or "/datasets--" in path):
        _add(record.seen["cache_files"], path)
    if [each for each in arguments[2:3] if type(each) is int and each & WRITING]:
        _note_written(record, arguments)


def _note_written(record, paths, here=os.getcwd):
    # type: (_Record, tuple[Any, ...], Callable[[], str]) -> None
    path = paths[0] if paths else None
    if type(path) is str and path.endswith(WRITTEN) and not path.startswith(record.directory):
        try:
            _add(record.seen["written"], path if path.startswith("/") else here() + "/" + path)
        except OSError as error:  # the directory is gone; but a time limit's own error came through its handler
            if getattr(error.__traceback__, "tb_next", None) is not None:
                raise


def _add_place(known, address):
    # type: (set[str], Any) -> None
    if type(address) is tuple and len(address) > 1 and type(address[0]) is str:
        host, port = address[:2]
        name = "[" + host + "]" if ":" in host else host
        _add(known, name + ":" + str(port) if type(port) in (int, str) else name)


def _watch_media(record, waiting):
    # type: (_Record, list[str]) -> None
    """Start the part of the probe that notes what lmms-eval shows to a model, once its tasks are loaded whole."""
    if getattr(getattr(sys.modules[MEDIA[0]], "__spec__", None), "_initializing", False):
        return
    waiting.clear()
    try:
        file = os.path.join(os.path.dirname(FOLDER), "loaded_later", MEDIA[1])
        names = {"__name__": MEDIA[1]}  # type: dict[str, Any]
        exec(compile(_read(file), file, "exec"), names)  # noqa: S102 - it lies beside this file
        record.before_end = names["watch"](lambda: record.target, _encode)
    except Exception:
        pass


def _observe(directory):
    # type: (str) -> None
    """Begin the record of this process, and see to it that its end and its forks are recorded too."""
    record = _Record(directory)
    if not record.begin(forked=False):
        return
    import atexit  # noqa: PLC0415 - built in, and only where it is needed

    atexit.register(record.end)
    os.register_at_fork(after_in_child=record.fork)
    _watch(record)


if __name__ == "sitecustomize":
    # From here on, this folder is invisible to the program.
    sys.path[:] = [each for each in sys.path if each != FOLDER]
    sys.path_importer_cache.pop(FOLDER, None)
    if sys.version_info >= (3, 8) and os.environ.get("REPROKIT_PROBE_DIRECTORY"):
        try:
            _observe(os.environ["REPROKIT_PROBE_DIRECTORY"])
        except Exception:
            pass
    # What this import finds, or how it fails, is what Python would have met without the probe. The name keeps this
    # module alive meanwhile: Python 2 empties a module that nobody holds.
    _itself = sys.modules.pop(__name__)
    import sitecustomize  # type: ignore[import-not-found]  # noqa: F401 - another of this name, further down sys.path
