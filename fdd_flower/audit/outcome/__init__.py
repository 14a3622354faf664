"""What an audit found: as rows, as a table in Markdown, as a picture."""
