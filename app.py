"""Start the page: `python app.py`. Installed, the same is the command `adaclip-studio`."""

from __future__ import annotations

import sys

from demo.app import main

if __name__ == "__main__":
    sys.exit(main())
