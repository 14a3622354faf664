"""Records read one by one, as a private mode requires: no record changes what another becomes.

Elsewhere a reader looks at a whole file before it decides what a cell or a pixel is: whether all
values are bytes, what separates cells, which of day and month comes first. One record could change
that for all others, and so move a sum by far more than its own share. Here the form of a file is
fixed, or follows from what no record is part of: its header, its types, the schema. What cannot be
read so is refused.
"""
