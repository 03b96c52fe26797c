"""`python -m maskwright` is the command `maskwright`."""

from maskwright.cli.app import main

main()
