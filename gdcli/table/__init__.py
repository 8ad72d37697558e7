"""Data: files and pipes read as columns of numbers, checked cell by cell, of any length in constant memory.

`source` opens a table and reads it block by block; `spool` keeps the wanted columns for as many passes as are
needed; `shuffle` puts the rows of an epoch in their order. What is wrong with a file is told with the file, the
line and the column, and what to do about it.
"""
