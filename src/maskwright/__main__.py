"""`python -m maskwright` is the command `maskwright`."""

from maskwright.cli import main

main()
