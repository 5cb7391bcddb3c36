//! The only unsafe code: one safe function for each system call.
