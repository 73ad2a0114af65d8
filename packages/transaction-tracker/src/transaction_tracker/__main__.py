"""``python -m transaction_tracker`` is ``txtrack``."""

import sys

from transaction_tracker.cli import main

if __name__ == "__main__":
    sys.exit(main())
