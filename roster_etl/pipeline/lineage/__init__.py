"""Where a published record or cell came from, and which ids a record has had."""
