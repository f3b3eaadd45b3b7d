"""The two sides: the CRM and the mailboxes. Each system has a package of its own; `base` is what the engine sees."""
