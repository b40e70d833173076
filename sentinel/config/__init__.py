"""The configuration: `schema` says what the file may hold, `load` reads it with all that it refers to."""
