"""The venue's JSON: what the core's values look like on the wire, and how requests are read."""
