"""Locators: how a command line names a thing in somebody's code.

``package.module:name`` is what Python itself uses for entry points; ``path/to/file.py:name`` is for code that is
in no package, such as a test file. The name may have dots. The current folder is looked in first, as it is by
``python -m``.

Whatever goes wrong is a mistake in what was typed and becomes an ``InvalidArgument`` that says what would have
been right, as far as one can know: a module that is not found is told apart from one that fails while it is
imported, and a name that is not there is answered with the nearest ones that are.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from ..api.errors import InvalidArgument


def did_you_mean(word: str, known: Iterable[str], *, all: bool = True) -> str:
    """Return ``"; did you mean X?"``, for names that are like the word or contain it; else what there is (``all``:
    they are few enough for that), or ``""``."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    if len(word) > 2:
        close += [each for each in names if word in each and each not in close][:3]
    if close:
        return f"; did you mean {' or '.join(close)}?"
    return f"; there is {', '.join(sorted(names))}" if names and all else ""


def load(locator: str) -> object:
    """Return what a locator names. Raises ``InvalidArgument``; what importing prints or changes is not undone."""
    module_name, colon, name = locator.rpartition(":")
    if not colon or not module_name or not name:
        raise InvalidArgument(f"{locator!r} is not module:name, such as mypackage.rings:MyRing or rings.py:MyRing")
    found: object = _file(module_name) if module_name.endswith(".py") else _module(module_name)
    for part in name.split("."):
        if not hasattr(found, part):
            known = [each for each in dir(found) if not each.startswith("_")]
            close = difflib.get_close_matches(part, known, n=3, cutoff=0.5)
            hint = f"; did you mean {' or '.join(close)}?" if close else ""
            raise InvalidArgument(f"{module_name} has no {name}{hint}")
        found = getattr(found, part)
    return found


def _module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise InvalidArgument(f"there is no module {error.name} here ({here}) or installed") from error
        raise InvalidArgument(f"importing {name} needs {error.name}, which is not there") from error
    except Exception as error:
        raise InvalidArgument(f"importing {name} raised {type(error).__name__}: {error}") from error


def _file(path: str) -> ModuleType:
    """Import a file under a name of its own, with its folder in the path, as Python does for a script."""
    file = Path(path).resolve()
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise InvalidArgument(f"there is no file {path}")
    folder = str(file.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    before = sys.modules.get(file.stem)
    if before is not None and getattr(before, "__file__", None) == str(file):
        return before
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[file.stem]
        raise InvalidArgument(f"running {path} raised {type(error).__name__}: {error}") from error
    return module


__all__ = ["did_you_mean", "load"]
