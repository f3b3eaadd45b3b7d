"""What the engine remembers between runs, on Azure Table Storage (or in memory, for tests)."""
