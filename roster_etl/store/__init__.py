"""Where things rest: the landing zone, the archive, the frames between steps, the registry of districts, the warehouse. The only I/O."""
