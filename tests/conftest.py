"""The suite runs against one store at a time: SQLite, or the server named by DISTTASK_DATABASE_URL."""
