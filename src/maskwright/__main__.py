"""`python -m maskwright` is the command `maskwright`."""

import sys

from maskwright.cli.app import main

sys.exit(main())
