"""``python -m hioload_ws.contract`` is ``hioload-ws contract``."""

from .command import main

if __name__ == "__main__":
    raise SystemExit(main())
