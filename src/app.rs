//! Puts a server together and takes it down again.
