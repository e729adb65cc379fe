//! Shows the verified identity that waits for its user, and commits or drops it.
