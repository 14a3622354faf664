"""Pictures of a table's columns: test records beside synthetic rows."""
