"""``python -m gdcli``: what ``gd`` does, by the interpreter that is named."""

from gdcli.cli.app import main

main()
