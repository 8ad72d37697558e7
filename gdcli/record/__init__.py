"""Answers as plain data, written and read back, and the files of runs that another process goes on with."""
