//! Tells whether an account is linked, and what it can do about it.
