"""What people look at: pictures, tables for a terminal, and the report page."""
