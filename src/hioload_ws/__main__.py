"""``python -m hioload_ws`` is the console script ``hioload-ws``."""

from .adapters.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
