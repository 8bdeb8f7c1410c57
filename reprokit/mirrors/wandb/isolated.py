"""Starting Python with nothing on its way to import from that is not installed, and reprokit from where it is here."""

from __future__ import annotations

import site
import sys
from collections.abc import Sequence
from pathlib import Path

import reprokit

_PACKAGE = "reprokit"
PLACE = Path(reprokit.__file__).absolute().parents[1]
# What is installed goes before what lies beside our own package: that may be a checkout, and the working directory of
# whoever calls us. So our package is not looked for, but taken from its place.
_STUB = """
import importlib.util, runpy, site, sys
package, place, program, user = sys.argv[1:5]
if user:
    site.addsitedir(user)
sys.path.append(place)
folder = place + "/" + package
found = importlib.util.spec_from_file_location(package, folder + "/__init__.py", submodule_search_locations=[folder])
module = importlib.util.module_from_spec(found)
sys.modules[package] = module
found.loader.exec_module(module)
sys.argv = [program]
runpy.run_module(program, run_name="__main__", alter_sys=True)
"""


def words(program: str, *, bytecode: Sequence[str]) -> list[str]:
    """Give the command that runs a module in a Python that neither a variable nor a folder around it can lead astray.

    `bytecode` are the options that say where bytecode is kept: an isolated Python asks no variable for it.
    """
    user = site.getusersitepackages() if site.ENABLE_USER_SITE else ""
    return [sys.executable, "-I", "-u", *bytecode, "-c", _STUB, _PACKAGE, str(PLACE), program, user]
