"""What was asked, as facts: options as units, so that `--limit 4` and `--limit 5` differ in one place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from reprokit.bundle.record import Invocation
from reprokit.bundle.values import Argument, Json, Unknown
from reprokit.diff.setup import noise
from reprokit.diff.setup.facts import WHOLE_AREA, Fact
from reprokit.diff.setup.places import Places

ORDER = "order of options"
_AREA = "invocation"
_OUTPUT = "<output>"
_FLAG = re.compile(r"--?[A-Za-z_].*", re.DOTALL)
_PYTHON = re.compile(r"python[0-9.]*")
_HARNESSES = frozenset({"lm_eval", "lm-eval", "lmms_eval", "lmms-eval"})
# What lm-eval and lmms-eval call the same options; in lm-eval `-m` was what `-M` is now.
_LONG = {
    "-C": "--config",
    "-E": "--samples",
    "-L": "--limit",
    "-M": "--model",
    "-a": "--model_args",
    "-b": "--batch_size",
    "-c": "--use_cache",
    "-f": "--num_fewshot",
    "-m": "--model",
    "-n": "--repeats",
    "-o": "--output_path",
    "-s": "--log_samples",
    "-t": "--tasks",
    "-v": "--verbosity",
    "-w": "--write_out",
    "-x": "--predict_only",
}


@dataclass(frozen=True, kw_only=True)
class Unit:
    """An option with its values, or a run of arguments that belong to no option.

    `values` are as given, `alike` with outputs left out.
    """

    name: str
    values: tuple[str, ...]
    alike: tuple[str, ...]


def text(argument: Argument) -> str:
    """Write an argument in one piece; a secret stands there by its name."""
    if isinstance(argument, str):
        return argument
    return "".join(part if isinstance(part, str) else f"<secret {part.secret}>" for part in argument)


def _without_outputs(invocation: Invocation, arguments: list[str]) -> list[str]:
    alike = list(arguments)
    for output in invocation.outputs:
        if output.argument is not None and 0 <= output.argument < len(alike):
            alike[output.argument] = output.prefix + _OUTPUT
    written = _places_of_named_outputs(invocation)
    return [_without_place(argument, written) for argument in alike]


def _places_of_named_outputs(invocation: Invocation) -> set[PurePosixPath]:
    """List the files that a person named as outputs, and the folders they lie in: a program is told of either."""
    named = [PurePosixPath(output.path) for output in invocation.outputs if output.argument is None]
    places = {place for path in named for place in (path, path.parent)}
    return places - {PurePosixPath(), PurePosixPath("/")}


def _without_place(argument: str, written: set[PurePosixPath]) -> str:
    option, equals, value = argument.rpartition("=") if _FLAG.fullmatch(argument) else ("", "", argument)
    return f"{option}{equals}{_OUTPUT}" if value and PurePosixPath(value) in written else argument


def _after_equals(argument: str, flag: str) -> tuple[str, ...]:
    return (argument[len(flag) + 1 :],) if argument.startswith(f"{flag}=") else ()


def units(arguments: list[str], alike: list[str]) -> Iterator[Unit]:
    """Read arguments as options with their values: `--a 1 2`, `--a=1` and `-a 1` are one unit each.

    Which arguments follow an option without belonging to it cannot be told from outside the program; they count as its
    values. `alike` is the same list in the form that is compared. Two spellings of one value are two values.
    """
    name: str | None = None
    values: list[str] = []
    forms: list[str] = []
    position = 0
    for argument, form in zip(arguments, alike, strict=True):
        if _FLAG.fullmatch(argument):
            if name is not None:
                yield Unit(name=name, values=tuple(values), alike=tuple(forms))
            name = argument.split("=", 1)[0]
            values, forms = list(_after_equals(argument, name)), list(_after_equals(form, name))
        elif name is not None:
            values.append(argument)
            forms.append(form)
        else:
            position += 1
            yield Unit(name=f"argument {position}", values=(argument,), alike=(form,))
    if name is not None:
        yield Unit(name=name, values=tuple(values), alike=tuple(forms))


def _long_names(program: list[str], found: Iterable[Unit]) -> Iterator[Unit]:
    """Give the options of a harness by their long names, so that `-b 4` and `--batch_size 4` are the same.

    What stands before the harness's own name belongs to what starts it: `srun -n 4 -t 10 lm_eval -t toy`.
    """
    inside = _names_a_harness(program)
    for unit in found:
        yield replace(unit, name=_LONG.get(unit.name, unit.name)) if inside else unit
        inside = inside or _names_a_harness(unit.values)


def _names_a_harness(values: Iterable[str]) -> bool:
    return any(PurePosixPath(value).name in _HARNESSES for value in values)


def _shown(values: tuple[str, ...]) -> Json:
    """Show an option's values as one JSON value: `true` when it stands alone."""
    if not values:
        return True
    return values[0] if len(values) == 1 else list(values)


def _program(invocation: Invocation, first: str) -> Fact:
    alike = first
    if invocation.program_in in {"environment", "system"}:
        name = PurePosixPath(first).name
        alike = "python" if _PYTHON.fullmatch(name) else name
    elif invocation.program_in == "source" and isinstance(invocation.program, str):
        alike = invocation.program
    return Fact(area=_AREA, name="program", value=first, alike=alike, rule=noise.PROGRAM)


def _arguments(invocation: Invocation) -> Iterator[Fact]:
    if isinstance(invocation.argv, Unknown):
        yield Fact(area=_AREA, name=WHOLE_AREA, value=invocation.argv)
        return
    arguments = [text(argument) for argument in invocation.argv]
    alike = _without_outputs(invocation, arguments)
    if arguments:
        yield _program(invocation, arguments[0])
    names = []
    for unit in _long_names(arguments[:1], units(arguments[1:], alike[1:])):
        is_output = unit.alike == (_OUTPUT,)
        rule = noise.OUTPUT if _OUTPUT in unit.alike else None
        yield Fact(
            area=_AREA,
            name=unit.name,
            value=_shown(unit.values),
            alike=_shown(unit.alike),
            rule=rule,
            dispensable=is_output,
        )
        if not is_output:
            names.append(unit.name)
    # Which options there are is told by the facts above; this one is about their order and nothing else.
    yield Fact(area=_AREA, name=ORDER, value=names, rule=noise.ORDER, dispensable=True)


def _working_directory(invocation: Invocation, checkout: str | None) -> Iterator[Fact]:
    inside = f"{checkout}/{invocation.directory_in_source}" if checkout else "outside of any checkout"
    yield Fact(
        area="working directory", name="path", value=invocation.working_directory, alike=inside, rule=noise.PLACE
    )


def invocation_facts(invocation: Invocation, checkout: str | None, where: Places) -> Iterator[Fact]:
    """Tell what was asked; `checkout` names the pair of checkouts that the working directory lies in.

    Of the inputs that were named, those with a digest are told; a folder is known by the checkout it lies in, if any.
    """
    yield from _arguments(invocation)
    if isinstance(invocation.argv, Unknown):
        # Inputs are what the command line names.
        yield Fact(area="inputs", name=WHOLE_AREA, value=invocation.argv)
    for item in invocation.inputs:
        if item.digest is not None:
            yield Fact(area="inputs", name=where.named(item.path)[0], value=item.digest)
    yield from _working_directory(invocation, checkout)
    if isinstance(invocation.environment_variables, Unknown):
        yield Fact(area="environment variables", name=WHOLE_AREA, value=invocation.environment_variables)
    else:
        for variable in invocation.environment_variables:
            yield Fact(area="environment variables", name=variable.name, value=text(variable.value))
